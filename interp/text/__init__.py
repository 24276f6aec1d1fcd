"""Chapter 6 of the specification, the text format, and the scripts of the test suite.

To read: lexer.py cuts a text into tokens, cursor.py walks over them, context.py knows the names of a module; types.py,
immediates.py (by the table's column), instructions.py, fields.py and parser.py follow the grammar from the leaves up.
script.py reads `.wast` files into the commands of commands.py. To write: notation.py has single instructions and types,
folding.py bodies, printer.py modules. numbers.py is for both.
"""
