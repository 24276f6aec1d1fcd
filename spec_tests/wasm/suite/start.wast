;; The start function runs last, once, when everything else of the instance is there.

(module
  (memory 1)
  (data (i32.const 0) "\05")
  (global $n (mut i32) (i32.const 2))
  (table 1 funcref)
  (elem (i32.const 0) $square)
  (func $square (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))
  (func $main
    (global.set $n
      (i32.add (global.get $n) (call_indirect (param i32) (result i32) (i32.load8_u (i32.const 0)) (i32.const 0)))
    )
  )
  (start $main)
  (func (export "n") (result i32) (global.get $n))
)
(assert_return (invoke "n") (i32.const 27))
(assert_return (invoke "n") (i32.const 27))

(module (func $print (import "spectest" "print_i32") (param i32)) (func $main (call $print (i32.const 3))) (start $main))
(module (import "spectest" "print" (func $print)) (start $print))
(module (start 0) (func))

(assert_trap (module (func $main (unreachable)) (start $main)) "unreachable")
(assert_trap
  (module (memory 1) (func $main (drop (i32.load (i32.const -1)))) (start $main))
  "out of bounds memory access"
)

;; What a start function did before it trapped stays done, where others can see it.
(module $cell
  (global (export "g") (mut i32) (i32.const 0))
  (table (export "t") 1 funcref)
  (func (export "call") (result i32) (call_indirect (result i32) (i32.const 0)))
)
(register "cell" $cell)
(assert_trap
  (module
    (import "cell" "g" (global $g (mut i32)))
    (import "cell" "t" (table 1 funcref))
    (func $answer (result i32) (i32.add (global.get $g) (i32.const 1)))
    (elem (i32.const 0) $answer)
    (func $main (global.set $g (i32.const 41)) (unreachable))
    (start $main)
  )
  "unreachable"
)
(assert_return (get $cell "g") (i32.const 41))
(assert_return (invoke $cell "call") (i32.const 42))

(assert_invalid (module (start 0)) "unknown function")
(assert_invalid (module (func $f (param i32)) (start $f)) "start function")
(assert_invalid (module (func $f (result i32) (i32.const 0)) (start $f)) "start function")
(assert_malformed (module quote "(func) (start 0) (start 0)") "multiple start sections")
(assert_malformed (module quote "(func) (start)") "unexpected token")
