;; Tail calls: in constant space, through tables and into host functions (specification 4.4.11).

(module
  (type $sum (func (param i64 i64) (result i64)))
  (import "spectest" "print_i32" (func $print (param i32)))
  (table funcref (elem $down $print $other))
  (func $down (export "down") (type $sum)
    (if (result i64) (i64.eqz (local.get 0))
      (then (local.get 1))
      (else (return_call $down (i64.sub (local.get 0) (i64.const 1)) (i64.add (local.get 0) (local.get 1))))))
  (func $even (export "even") (param i64) (result i32)
    (if (result i32) (i64.eqz (local.get 0))
      (then (i32.const 1))
      (else (return_call $odd (i64.sub (local.get 0) (i64.const 1))))))
  (func $odd (param i64) (result i32)
    (local i64 i64 i64 i64)  ;; frames of another size
    (if (result i32) (i64.eqz (local.get 0))
      (then (i32.const 0))
      (else (return_call $even (i64.sub (local.get 0) (i64.const 1))))))
  (func $indirect (export "indirect") (param i64 i64 i32) (result i64)
    (return_call_indirect (type $sum) (local.get 0) (local.get 1) (local.get 2)))
  (func $other (param f32) (result f32) (local.get 0))
  ;; A host function in the place of the last frame, and of one that is called.
  (func $to_host (export "to host") (param i32) (return_call $print (local.get 0)))
  (func (export "to host through the table") (param i32)
    (return_call_indirect (param i32) (local.get 0) (i32.const 1)))
  (func (export "host in between") (result i32)
    (i32.const 7) (call $to_host (i32.const 1)) (return_call $add_one))
  (func $add_one (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  ;; What is below the arguments is dropped, and the caller's operands stay.
  (func $deep (result i32) (i32.const 1) (i32.const 2) (i32.const 41) (return_call $add_one))
  (func (export "operands") (result i32) (i32.sub (i32.const 100) (call $deep)))
)

(assert_return (invoke "down" (i64.const 100) (i64.const 0)) (i64.const 5050))
(assert_return (invoke "down" (i64.const 40000) (i64.const 0)) (i64.const 800020000))
(assert_return (invoke "even" (i64.const 40001)) (i32.const 0))
(assert_return (invoke "indirect" (i64.const 20000) (i64.const 0) (i32.const 0)) (i64.const 200010000))
(assert_trap (invoke "indirect" (i64.const 1) (i64.const 0) (i32.const 2)) "indirect call type mismatch")
(assert_trap (invoke "indirect" (i64.const 1) (i64.const 0) (i32.const 3)) "undefined element")
(assert_return (invoke "to host" (i32.const 1)))
(assert_return (invoke "to host through the table" (i32.const 1)))
(assert_return (invoke "host in between") (i32.const 8))
(assert_return (invoke "operands") (i32.const 58))

(assert_invalid
  (module (func $f (result i64) (i64.const 0)) (func (result i32) (return_call $f)))
  "type mismatch")
(assert_invalid
  (module (func $f (param i32)) (func (return_call $f (i64.const 0))))
  "type mismatch")
