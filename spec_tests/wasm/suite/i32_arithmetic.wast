;; Wrapping arithmetic of i32, division with its two traps.

(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "sub") (param i32 i32) (result i32) (i32.sub (local.get 0) (local.get 1)))
  (func (export "mul") (param i32 i32) (result i32) (i32.mul (local.get 0) (local.get 1)))
  (func (export "div_s") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "div_u") (param i32 i32) (result i32) (i32.div_u (local.get 0) (local.get 1)))
  (func (export "rem_s") (param i32 i32) (result i32) (i32.rem_s (local.get 0) (local.get 1)))
  (func (export "rem_u") (param i32 i32) (result i32) (i32.rem_u (local.get 0) (local.get 1)))
)

;; i32.add
(assert_return (invoke "add" (i32.const 1) (i32.const 1)) (i32.const 2))
(assert_return (invoke "add" (i32.const 1) (i32.const -1)) (i32.const 0))
(assert_return (invoke "add" (i32.const 0x7fffffff) (i32.const 1)) (i32.const 0x80000000))
(assert_return (invoke "add" (i32.const 0x80000000) (i32.const -1)) (i32.const 0x7fffffff))
(assert_return (invoke "add" (i32.const 0x80000000) (i32.const 0x80000000)) (i32.const 0))
(assert_return (invoke "add" (i32.const -1) (i32.const -1)) (i32.const -2))
(assert_return (invoke "add" (i32.const 0x3fffffff) (i32.const 1)) (i32.const 0x40000000))

;; i32.sub
(assert_return (invoke "sub" (i32.const 1) (i32.const 1)) (i32.const 0))
(assert_return (invoke "sub" (i32.const 0) (i32.const 1)) (i32.const -1))
(assert_return (invoke "sub" (i32.const 0x80000000) (i32.const 1)) (i32.const 0x7fffffff))
(assert_return (invoke "sub" (i32.const 0x7fffffff) (i32.const -1)) (i32.const 0x80000000))
(assert_return (invoke "sub" (i32.const 0x80000000) (i32.const 0x80000000)) (i32.const 0))
(assert_return (invoke "sub" (i32.const 0) (i32.const 0x80000000)) (i32.const 0x80000000))
(assert_return (invoke "sub" (i32.const 1) (i32.const 0)) (i32.const 1))

;; i32.mul
(assert_return (invoke "mul" (i32.const 1) (i32.const 1)) (i32.const 1))
(assert_return (invoke "mul" (i32.const 0) (i32.const 0x7fffffff)) (i32.const 0))
(assert_return (invoke "mul" (i32.const -1) (i32.const -1)) (i32.const 1))
(assert_return (invoke "mul" (i32.const 0x80000000) (i32.const -1)) (i32.const 0x80000000))
(assert_return (invoke "mul" (i32.const 0x80000000) (i32.const 0x80000000)) (i32.const 0))
(assert_return (invoke "mul" (i32.const 0x7fffffff) (i32.const 0x7fffffff)) (i32.const 1))
(assert_return (invoke "mul" (i32.const 65537) (i32.const 65535)) (i32.const -1))
(assert_return (invoke "mul" (i32.const 0x1234567) (i32.const 0x76543210)) (i32.const 0x358e7470))

;; i32.div_s
(assert_return (invoke "div_s" (i32.const 7) (i32.const 2)) (i32.const 3))
(assert_return (invoke "div_s" (i32.const -7) (i32.const 2)) (i32.const -3))
(assert_return (invoke "div_s" (i32.const 7) (i32.const -2)) (i32.const -3))
(assert_return (invoke "div_s" (i32.const -7) (i32.const -2)) (i32.const 3))
(assert_return (invoke "div_s" (i32.const 0x80000000) (i32.const 2)) (i32.const 0xc0000000))
(assert_return (invoke "div_s" (i32.const 0x80000000) (i32.const 1)) (i32.const 0x80000000))
(assert_trap (invoke "div_s" (i32.const 0x80000000) (i32.const -1)) "integer overflow")
(assert_trap (invoke "div_s" (i32.const 1) (i32.const 0)) "integer divide by zero")
(assert_trap (invoke "div_s" (i32.const 0) (i32.const 0)) "integer divide by zero")
(assert_return (invoke "div_s" (i32.const 0x7fffffff) (i32.const -1)) (i32.const 0x80000001))
(assert_return (invoke "div_s" (i32.const 0) (i32.const -1)) (i32.const 0))
(assert_trap (invoke "div_s" (i32.const 0x80000000) (i32.const 0)) "integer divide by zero")
(assert_return (invoke "div_s" (i32.const 0x80000000) (i32.const 0x80000000)) (i32.const 1))

;; i32.div_u
(assert_return (invoke "div_u" (i32.const 7) (i32.const 2)) (i32.const 3))
(assert_return (invoke "div_u" (i32.const -7) (i32.const 2)) (i32.const 0x7ffffffc))
(assert_return (invoke "div_u" (i32.const 7) (i32.const -2)) (i32.const 0))
(assert_return (invoke "div_u" (i32.const 0x80000000) (i32.const -1)) (i32.const 0))
(assert_return (invoke "div_u" (i32.const -1) (i32.const 1)) (i32.const -1))
(assert_return (invoke "div_u" (i32.const -1) (i32.const 3)) (i32.const 0x55555555))
(assert_trap (invoke "div_u" (i32.const 1) (i32.const 0)) "integer divide by zero")
(assert_trap (invoke "div_u" (i32.const 0) (i32.const 0)) "integer divide by zero")
(assert_return (invoke "div_u" (i32.const 0x80000000) (i32.const 2)) (i32.const 0x40000000))
(assert_return (invoke "div_u" (i32.const 0) (i32.const 0x80000000)) (i32.const 0))

;; i32.rem_s
(assert_return (invoke "rem_s" (i32.const 7) (i32.const 2)) (i32.const 1))
(assert_return (invoke "rem_s" (i32.const -7) (i32.const 2)) (i32.const -1))
(assert_return (invoke "rem_s" (i32.const 7) (i32.const -2)) (i32.const 1))
(assert_return (invoke "rem_s" (i32.const -7) (i32.const -2)) (i32.const -1))
(assert_return (invoke "rem_s" (i32.const 0x80000000) (i32.const -1)) (i32.const 0))
(assert_return (invoke "rem_s" (i32.const 0x80000000) (i32.const 2)) (i32.const 0))
(assert_return (invoke "rem_s" (i32.const 0x80000000) (i32.const 1000)) (i32.const -648))
(assert_trap (invoke "rem_s" (i32.const 1) (i32.const 0)) "integer divide by zero")
(assert_trap (invoke "rem_s" (i32.const 0) (i32.const 0)) "integer divide by zero")
(assert_return (invoke "rem_s" (i32.const 0x7fffffff) (i32.const -1)) (i32.const 0))
(assert_return (invoke "rem_s" (i32.const -1) (i32.const 0x80000000)) (i32.const -1))

;; i32.rem_u
(assert_return (invoke "rem_u" (i32.const 7) (i32.const 2)) (i32.const 1))
(assert_return (invoke "rem_u" (i32.const -7) (i32.const 2)) (i32.const 1))
(assert_return (invoke "rem_u" (i32.const 7) (i32.const -2)) (i32.const 7))
(assert_return (invoke "rem_u" (i32.const 0x80000000) (i32.const -1)) (i32.const 0x80000000))
(assert_return (invoke "rem_u" (i32.const -1) (i32.const 10)) (i32.const 5))
(assert_trap (invoke "rem_u" (i32.const 1) (i32.const 0)) "integer divide by zero")
(assert_trap (invoke "rem_u" (i32.const 0) (i32.const 0)) "integer divide by zero")
(assert_return (invoke "rem_u" (i32.const 0x80000000) (i32.const 1000)) (i32.const 648))
