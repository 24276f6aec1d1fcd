package main

import (
	"errors"
	"strconv"
	"strings"
)

// encoding/json would do this too, but it forgets the order of fields and the spelling of numbers, and brings three
// megabytes of reflection along. So this walks over the text and copies all but the values to be hidden.
type walker struct {
	in    []byte
	at    int
	out   []byte
	names map[string]bool
	depth int
}

var errSyntax = errors.New("syntax")

const (
	maxDepth = 512 // what nests deeper is an attack on our stack
	mask     = `"***"`
)

func redact(in []byte, names map[string]bool) ([]byte, error) {
	w := &walker{in: in, names: names, out: make([]byte, 0, len(in))}
	err := w.value()
	w.space()
	if err == nil && w.at != len(w.in) {
		err = errSyntax
	}
	return w.out, err
}

// next is the byte at hand, or 0 at the end (which no rule of JSON accepts).
func (w *walker) next() byte {
	if w.at == len(w.in) {
		return 0
	}
	return w.in[w.at]
}

func (w *walker) copy(n int) {
	w.out = append(w.out, w.in[w.at:w.at+n]...)
	w.at += n
}

func (w *walker) space() {
	for c := w.next(); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = w.next() {
		w.copy(1)
	}
}

func (w *walker) value() error {
	if w.depth++; w.depth > maxDepth {
		return errors.New("nested too deep")
	}
	defer func() { w.depth-- }()
	w.space()
	switch w.next() {
	case '{':
		return w.list('}', w.field)
	case '[':
		return w.list(']', w.value)
	case '"':
		_, err := w.text()
		return err
	}
	n := 0
	for w.at+n < len(w.in) && strings.IndexByte("+-.0123456789eEtrufalsn", w.in[w.at+n]) >= 0 {
		n++
	}
	if n == 0 {
		return errSyntax
	}
	w.copy(n)
	return nil
}

// list copies what stands between two brackets: items with commas between them, or nothing.
func (w *walker) list(end byte, item func() error) error {
	w.copy(1)
	w.space()
	if w.next() == end {
		w.copy(1)
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		w.space()
		switch w.next() {
		case ',':
			w.copy(1)
		case end:
			w.copy(1)
			return nil
		default:
			return errSyntax
		}
	}
}

func (w *walker) field() error {
	w.space()
	quoted, err := w.text()
	if err != nil {
		return err
	}
	// "p\u0061ss" must not slip through as another name. What cannot be unquoted holds half a surrogate pair or some
	// such thing, and is then none of ours.
	name, err := strconv.Unquote(quoted)
	if err != nil {
		name = quoted
	}
	w.space()
	if w.next() != ':' {
		return errSyntax
	}
	w.copy(1)
	w.space()
	start := len(w.out)
	if err := w.value(); err != nil {
		return err
	}
	if w.names[strings.ToLower(name)] {
		w.out = append(w.out[:start], mask...)
	}
	return nil
}

// text copies a string and gives it as it is written, quotes included.
func (w *walker) text() (string, error) {
	if w.next() != '"' {
		return "", errSyntax
	}
	n := 1
	for w.at+n < len(w.in) && w.in[w.at+n] != '"' {
		if w.in[w.at+n] == '\\' {
			n++
		}
		n++
	}
	if w.at+n >= len(w.in) {
		return "", errSyntax
	}
	w.copy(n + 1)
	return string(w.in[w.at-n-1 : w.at]), nil
}
