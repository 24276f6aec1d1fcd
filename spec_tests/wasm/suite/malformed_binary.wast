;; Bytes that are no modules.

(module binary "\00asm\01\00\00\00")
(module binary "\00asm\01\00\00\00" "\00\06\04name\ff") ;; a broken name section is no error
(module binary "\00asm\01\00\00\00" "\00\01\00" "\00\03\02ab")

;; the header
(assert_malformed (module binary "") "unexpected end")
(assert_malformed (module binary "\00as") "unexpected end")
(assert_malformed (module binary "\00asm") "unexpected end")
(assert_malformed (module binary "\00asm\01\00\00") "unexpected end")
(assert_malformed (module binary "asm\00\01\00\00\00") "magic header not detected")
(assert_malformed (module binary "\00ASM\01\00\00\00") "magic header not detected")
(assert_malformed (module binary "(module)") "magic header not detected")
(assert_malformed (module binary "\00asm\00\00\00\00") "unknown binary version")
(assert_malformed (module binary "\00asm\02\00\00\00") "unknown binary version")
(assert_malformed (module binary "\00asm\00\00\00\01") "unknown binary version")

;; sections
(assert_malformed (module binary "\00asm\01\00\00\00" "\0e\01\00") "malformed section id")
(assert_malformed (module binary "\00asm\01\00\00\00" "\7f\01\00") "malformed section id")
(assert_malformed (module binary "\00asm\01\00\00\00" "\01") "unexpected end")
(assert_malformed (module binary "\00asm\01\00\00\00" "\01\05\01\60\00") "length out of bounds")
(assert_malformed (module binary "\00asm\01\00\00\00" "\01\05\01\60\00\00\00") "section size mismatch")
(assert_malformed (module binary "\00asm\01\00\00\00" "\01\01\00" "\01\01\00") "unexpected content after last section")
(assert_malformed (module binary "\00asm\01\00\00\00" "\03\01\00" "\01\01\00") "unexpected content after last section")
(assert_malformed (module binary "\00asm\01\00\00\00" "\00\00") "unexpected end")
(assert_malformed (module binary "\00asm\01\00\00\00" "\00\02\02a") "length out of bounds")
(assert_malformed (module binary "\00asm\01\00\00\00" "\00\02\01\ff") "malformed UTF-8 encoding")

;; types
(assert_malformed (module binary "\00asm\01\00\00\00" "\01\04\01\40\00\00") "malformed definition type")
(assert_malformed (module binary "\00asm\01\00\00\00" "\01\05\01\60\01\7a\00") "malformed value type")
(assert_malformed (module binary "\00asm\01\00\00\00" "\01\05\01\60\01\40\00") "malformed value type")
(assert_malformed (module binary "\00asm\01\00\00\00" "\04\04\01\7f\00\00") "malformed reference type")
(assert_malformed (module binary "\00asm\01\00\00\00" "\04\04\01\70\08\00") "malformed limits flags")
(assert_malformed (module binary "\00asm\01\00\00\00" "\05\03\01\10\00") "malformed limits flags")
(assert_malformed (module binary "\00asm\01\00\00\00" "\06\06\01\7f\02\41\00\0b") "malformed mutability")

;; integers
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\01\04\01\60\00\00" "\03\07\01\80\80\80\80\80\00")
  "integer representation too long"
)
(assert_malformed (module binary "\00asm\01\00\00\00" "\01\86\80\80\80\80\00") "integer representation too long")
(assert_malformed (module binary "\00asm\01\00\00\00" "\01\ff\ff\ff\ff\7f") "integer too large")

;; a module with one function, (func (result i32) (i32.const 0)), and what its body may not be
(module binary "\00asm\01\00\00\00" "\01\05\01\60\00\01\7f" "\03\02\01\00" "\0a\06\01\04\00\41\00\0b")
(module binary "\00asm\01\00\00\00" "\01\05\01\60\00\01\7f" "\03\02\01\00" "\0a\08\01\06\00\41\80\80\00\0b")
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\01\05\01\60\00\01\7f" "\03\02\01\00" "\0a\06\01\04\00\41\00\41")
  "END opcode expected"
)
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\01\05\01\60\00\01\7f" "\03\02\01\00" "\0a\07\01\05\00\41\00\0b\0b")
  "section size mismatch"
)
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\01\05\01\60\00\01\7f" "\03\02\01\00" "\0a\06\01\04\00\ff\00\0b")
  "illegal opcode"
)
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\01\05\01\60\00\01\7f" "\03\02\01\00" "\0a\07\01\05\00\fc\7f\00\0b")
  "illegal opcode"
)
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\01\05\01\60\00\01\7f" "\03\02\01\00"
    "\0a\0a\01\08\00\41\80\80\80\80\20\0b")
  "integer too large"
)
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\01\05\01\60\00\01\7f" "\03\02\01\00"
    "\0a\0b\01\09\00\41\80\80\80\80\80\00\0b")
  "integer representation too long"
)
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\01\05\01\60\00\01\7f" "\03\02\01\00"
    "\0a\0e\01\0c\02\ff\ff\ff\ff\0f\7f\01\7e\41\00\0b")
  "too many locals"
)
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\01\05\01\60\00\01\7f" "\03\02\01\00")
  "function and code section have inconsistent lengths"
)
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\0a\04\01\02\00\0b")
  "function and code section have inconsistent lengths"
)

;; data: a count that does not hold, and one that is missing though code needs it
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\0c\01\03" "\0b\04\01\01\01a")
  "data count and data section have inconsistent lengths"
)
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\0c\01\01")
  "data count and data section have inconsistent lengths"
)
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\01\04\01\60\00\00" "\03\02\01\00"
    "\0a\07\01\05\00\fc\09\00\0b" "\0b\04\01\01\01a")
  "data count section required"
)
(module binary "\00asm\01\00\00\00" "\01\04\01\60\00\00" "\03\02\01\00" "\0c\01\01"
  "\0a\07\01\05\00\fc\09\00\0b" "\0b\04\01\01\01a")

;; imports and exports
(assert_malformed (module binary "\00asm\01\00\00\00" "\02\04\01\00\00\09") "malformed import kind")
(assert_malformed (module binary "\00asm\01\00\00\00" "\02\05\01\01\80\00\00") "malformed UTF-8 encoding")
(assert_malformed (module binary "\00asm\01\00\00\00" "\07\04\01\00\09\00") "malformed export kind")
(assert_malformed (module binary "\00asm\01\00\00\00" "\08\02\00\00") "section size mismatch")
