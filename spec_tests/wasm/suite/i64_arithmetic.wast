;; Wrapping arithmetic of i64, division with its two traps.

(module
  (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
  (func (export "sub") (param i64 i64) (result i64) (i64.sub (local.get 0) (local.get 1)))
  (func (export "mul") (param i64 i64) (result i64) (i64.mul (local.get 0) (local.get 1)))
  (func (export "div_s") (param i64 i64) (result i64) (i64.div_s (local.get 0) (local.get 1)))
  (func (export "div_u") (param i64 i64) (result i64) (i64.div_u (local.get 0) (local.get 1)))
  (func (export "rem_s") (param i64 i64) (result i64) (i64.rem_s (local.get 0) (local.get 1)))
  (func (export "rem_u") (param i64 i64) (result i64) (i64.rem_u (local.get 0) (local.get 1)))
)

;; i64.add
(assert_return (invoke "add" (i64.const 1) (i64.const 1)) (i64.const 2))
(assert_return (invoke "add" (i64.const 1) (i64.const -1)) (i64.const 0))
(assert_return (invoke "add" (i64.const 0x7fffffffffffffff) (i64.const 1)) (i64.const 0x8000000000000000))
(assert_return (invoke "add" (i64.const 0x8000000000000000) (i64.const -1)) (i64.const 0x7fffffffffffffff))
(assert_return (invoke "add" (i64.const 0x8000000000000000) (i64.const 0x8000000000000000)) (i64.const 0))
(assert_return (invoke "add" (i64.const -1) (i64.const -1)) (i64.const -2))
(assert_return (invoke "add" (i64.const 0x3fffffff) (i64.const 1)) (i64.const 0x40000000))

;; i64.sub
(assert_return (invoke "sub" (i64.const 1) (i64.const 1)) (i64.const 0))
(assert_return (invoke "sub" (i64.const 0) (i64.const 1)) (i64.const -1))
(assert_return (invoke "sub" (i64.const 0x8000000000000000) (i64.const 1)) (i64.const 0x7fffffffffffffff))
(assert_return (invoke "sub" (i64.const 0x7fffffffffffffff) (i64.const -1)) (i64.const 0x8000000000000000))
(assert_return (invoke "sub" (i64.const 0x8000000000000000) (i64.const 0x8000000000000000)) (i64.const 0))
(assert_return (invoke "sub" (i64.const 0) (i64.const 0x8000000000000000)) (i64.const 0x8000000000000000))
(assert_return (invoke "sub" (i64.const 1) (i64.const 0)) (i64.const 1))

;; i64.mul
(assert_return (invoke "mul" (i64.const 1) (i64.const 1)) (i64.const 1))
(assert_return (invoke "mul" (i64.const 0) (i64.const 0x7fffffffffffffff)) (i64.const 0))
(assert_return (invoke "mul" (i64.const -1) (i64.const -1)) (i64.const 1))
(assert_return (invoke "mul" (i64.const 0x8000000000000000) (i64.const -1)) (i64.const 0x8000000000000000))
(assert_return (invoke "mul" (i64.const 0x8000000000000000) (i64.const 0x8000000000000000)) (i64.const 0))
(assert_return (invoke "mul" (i64.const 0x7fffffffffffffff) (i64.const 0x7fffffffffffffff)) (i64.const 1))
(assert_return (invoke "mul" (i64.const 65537) (i64.const 65535)) (i64.const 0xffffffff))
(assert_return (invoke "mul" (i64.const 0x1234567) (i64.const 0x76543210)) (i64.const 0x86a1c9358e7470))

;; i64.div_s
(assert_return (invoke "div_s" (i64.const 7) (i64.const 2)) (i64.const 3))
(assert_return (invoke "div_s" (i64.const -7) (i64.const 2)) (i64.const -3))
(assert_return (invoke "div_s" (i64.const 7) (i64.const -2)) (i64.const -3))
(assert_return (invoke "div_s" (i64.const -7) (i64.const -2)) (i64.const 3))
(assert_return (invoke "div_s" (i64.const 0x8000000000000000) (i64.const 2)) (i64.const 0xc000000000000000))
(assert_return (invoke "div_s" (i64.const 0x8000000000000000) (i64.const 1)) (i64.const 0x8000000000000000))
(assert_trap (invoke "div_s" (i64.const 0x8000000000000000) (i64.const -1)) "integer overflow")
(assert_trap (invoke "div_s" (i64.const 1) (i64.const 0)) "integer divide by zero")
(assert_trap (invoke "div_s" (i64.const 0) (i64.const 0)) "integer divide by zero")
(assert_return (invoke "div_s" (i64.const 0x7fffffffffffffff) (i64.const -1)) (i64.const 0x8000000000000001))
(assert_return (invoke "div_s" (i64.const 0) (i64.const -1)) (i64.const 0))
(assert_trap (invoke "div_s" (i64.const 0x8000000000000000) (i64.const 0)) "integer divide by zero")
(assert_return (invoke "div_s" (i64.const 0x8000000000000000) (i64.const 0x8000000000000000)) (i64.const 1))

;; i64.div_u
(assert_return (invoke "div_u" (i64.const 7) (i64.const 2)) (i64.const 3))
(assert_return (invoke "div_u" (i64.const -7) (i64.const 2)) (i64.const 0x7ffffffffffffffc))
(assert_return (invoke "div_u" (i64.const 7) (i64.const -2)) (i64.const 0))
(assert_return (invoke "div_u" (i64.const 0x8000000000000000) (i64.const -1)) (i64.const 0))
(assert_return (invoke "div_u" (i64.const -1) (i64.const 1)) (i64.const -1))
(assert_return (invoke "div_u" (i64.const -1) (i64.const 3)) (i64.const 0x5555555555555555))
(assert_trap (invoke "div_u" (i64.const 1) (i64.const 0)) "integer divide by zero")
(assert_trap (invoke "div_u" (i64.const 0) (i64.const 0)) "integer divide by zero")
(assert_return (invoke "div_u" (i64.const 0x8000000000000000) (i64.const 2)) (i64.const 0x4000000000000000))
(assert_return (invoke "div_u" (i64.const 0) (i64.const 0x8000000000000000)) (i64.const 0))

;; i64.rem_s
(assert_return (invoke "rem_s" (i64.const 7) (i64.const 2)) (i64.const 1))
(assert_return (invoke "rem_s" (i64.const -7) (i64.const 2)) (i64.const -1))
(assert_return (invoke "rem_s" (i64.const 7) (i64.const -2)) (i64.const 1))
(assert_return (invoke "rem_s" (i64.const -7) (i64.const -2)) (i64.const -1))
(assert_return (invoke "rem_s" (i64.const 0x8000000000000000) (i64.const -1)) (i64.const 0))
(assert_return (invoke "rem_s" (i64.const 0x8000000000000000) (i64.const 2)) (i64.const 0))
(assert_return (invoke "rem_s" (i64.const 0x8000000000000000) (i64.const 1000)) (i64.const -808))
(assert_trap (invoke "rem_s" (i64.const 1) (i64.const 0)) "integer divide by zero")
(assert_trap (invoke "rem_s" (i64.const 0) (i64.const 0)) "integer divide by zero")
(assert_return (invoke "rem_s" (i64.const 0x7fffffffffffffff) (i64.const -1)) (i64.const 0))
(assert_return (invoke "rem_s" (i64.const -1) (i64.const 0x8000000000000000)) (i64.const -1))

;; i64.rem_u
(assert_return (invoke "rem_u" (i64.const 7) (i64.const 2)) (i64.const 1))
(assert_return (invoke "rem_u" (i64.const -7) (i64.const 2)) (i64.const 1))
(assert_return (invoke "rem_u" (i64.const 7) (i64.const -2)) (i64.const 7))
(assert_return (invoke "rem_u" (i64.const 0x8000000000000000) (i64.const -1)) (i64.const 0x8000000000000000))
(assert_return (invoke "rem_u" (i64.const -1) (i64.const 10)) (i64.const 5))
(assert_trap (invoke "rem_u" (i64.const 1) (i64.const 0)) "integer divide by zero")
(assert_trap (invoke "rem_u" (i64.const 0) (i64.const 0)) "integer divide by zero")
(assert_return (invoke "rem_u" (i64.const 0x8000000000000000) (i64.const 1000)) (i64.const 808))
