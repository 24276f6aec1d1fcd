;; Sums, differences and products of integers in constant expressions.

(module
  (import "spectest" "global_i32" (global $g i32))
  (global (export "i32") i32 (i32.mul (i32.add (global.get $g) (i32.const 1)) (i32.const 0x10000000)))
  (global (export "i64") i64 (i64.sub (i64.mul (i64.const 3) (i64.const -1)) (i64.const 0x7fff_ffff_ffff_ffff)))
  (memory 1)
  (data (i32.sub (global.get $g) (i32.const 600)) "x")
  (table 4 funcref)
  (elem (offset (i32.add (i32.const 1) (i32.const 2))) $f)
  (func $f)
  (func (export "byte") (result i32) (i32.load8_u (i32.const 66)))
  (func (export "null") (param i32) (result i32) (ref.is_null (table.get (local.get 0))))
)

(assert_return (get "i32") (i32.const 0xb0000000))
(assert_return (get "i64") (i64.const 0x7fff_ffff_ffff_fffe))
(assert_return (invoke "byte") (i32.const 0x78))
(assert_return (invoke "null" (i32.const 2)) (i32.const 1))
(assert_return (invoke "null" (i32.const 3)) (i32.const 0))
(assert_invalid (module (global i32 (i32.sub (i32.const 1) (i64.const 1)))) "type mismatch")
(assert_invalid (module (global i32 (i32.div_s (i32.add (i32.const 1) (i32.const 1)) (i32.const 1)))) "constant expression required")
