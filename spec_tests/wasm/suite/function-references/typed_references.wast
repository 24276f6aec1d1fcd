;; References to functions of one type: calls without a check, branches on null, locals that must be set first.

(module
  (type $unary (func (param i32) (result i32)))
  (type $reducer (func (param i32 i32) (result i32)))
  (func $double (type $unary) (i32.mul (local.get 0) (i32.const 2)))
  (func $add (type $reducer) (i32.add (local.get 0) (local.get 1)))
  (elem declare func $double $add $down)
  (global $g (ref $unary) (ref.func $double))
  (table $t 3 (ref $unary) (ref.func $double))

  (func $apply (param (ref null $unary) i32) (result i32) (call_ref $unary (local.get 1) (local.get 0)))
  (func (export "double") (param i32) (result i32) (call $apply (global.get $g) (local.get 0)))
  (func (export "null") (result i32) (call $apply (ref.null $unary) (i32.const 1)))
  (func (export "from the table") (param i32) (result i32)
    (call_ref $unary (i32.const 21) (table.get $t (local.get 0))))
  (func (export "indirect") (param i32) (result i32)
    (call_indirect $t (type $unary) (i32.const 4) (local.get 0)))
  (func (export "wrong") (param i32) (result i32)
    (call_indirect $t (type $reducer) (i32.const 4) (i32.const 4) (local.get 0)))

  (func $down (export "down") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (return_call_ref $unary (i32.sub (local.get 0) (i32.const 1)) (ref.func $down)))
      (else (i32.const 7))))

  (func $or (param (ref null $unary)) (result i32)
    (block $null
      (return (call_ref $unary (i32.const 5) (br_on_null $null (local.get 0)))))
    (i32.const -1))
  (func (export "or") (result i32 i32) (call $or (ref.func $double)) (call $or (ref.null $unary)))

  (func $or_not (param (ref null $unary)) (result i32)
    (block $there (result (ref $unary))
      (br_on_non_null $there (local.get 0))
      (return (i32.const -1)))
    (return_call $apply (i32.const 6)))
  (func (export "or not") (result i32 i32) (call $or_not (ref.func $double)) (call $or_not (ref.null $unary)))

  (func (export "as non-null") (result i32)
    (ref.is_null (ref.as_non_null (ref.null func))))

  (func (export "set first") (result i32) (local $f (ref $unary))
    (block (local.set $f (ref.func $double)) (drop (local.get $f)))
    (call_ref $unary (i32.const 8) (local.tee $f (ref.func $double)))
    (call_ref $unary (local.get $f)))
)

(assert_return (invoke "double" (i32.const 4)) (i32.const 8))
(assert_trap (invoke "null") "null function reference")
(assert_return (invoke "from the table" (i32.const 2)) (i32.const 42))
(assert_trap (invoke "from the table" (i32.const 3)) "out of bounds table access")
(assert_return (invoke "indirect" (i32.const 0)) (i32.const 8))
(assert_trap (invoke "wrong" (i32.const 0)) "indirect call type mismatch")
(assert_return (invoke "down" (i32.const 20000)) (i32.const 7))
(assert_return (invoke "or") (i32.const 10) (i32.const -1))
(assert_return (invoke "or not") (i32.const 12) (i32.const -1))
(assert_trap (invoke "as non-null") "null reference")
(assert_return (invoke "set first") (i32.const 32))

(assert_invalid
  (module (type $f (func)) (func (local $x (ref $f)) (drop (local.get $x))))
  "uninitialized local")
(assert_invalid
  (module (type $f (func)) (func (param (ref $f)) (local $x (ref $f))
    (block (local.set $x (local.get 0))) (drop (local.get $x))))
  "uninitialized local")
(assert_invalid
  (module (type $f (func)) (type $g (func (param i32))) (func (param (ref $f)) (call_ref $g (i32.const 0) (local.get 0))))
  "type mismatch")
(assert_invalid (module (type $f (func)) (table 1 (ref $f))) "type mismatch")
(assert_invalid (module (func (param (ref 7)))) "unknown type")
