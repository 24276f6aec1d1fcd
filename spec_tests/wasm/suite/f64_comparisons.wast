;; Comparisons of f64: the zeros are equal, a NaN is unequal to everything, itself included.

(module
  (func (export "eq") (param f64 f64) (result i32) (f64.eq (local.get 0) (local.get 1)))
  (func (export "ne") (param f64 f64) (result i32) (f64.ne (local.get 0) (local.get 1)))
  (func (export "lt") (param f64 f64) (result i32) (f64.lt (local.get 0) (local.get 1)))
  (func (export "gt") (param f64 f64) (result i32) (f64.gt (local.get 0) (local.get 1)))
  (func (export "le") (param f64 f64) (result i32) (f64.le (local.get 0) (local.get 1)))
  (func (export "ge") (param f64 f64) (result i32) (f64.ge (local.get 0) (local.get 1)))
)

;; f64.eq
(assert_return (invoke "eq" (f64.const 1) (f64.const 1)) (i32.const 1))
(assert_return (invoke "eq" (f64.const 1) (f64.const 2)) (i32.const 0))
(assert_return (invoke "eq" (f64.const 2) (f64.const 1)) (i32.const 0))
(assert_return (invoke "eq" (f64.const 0) (f64.const -0)) (i32.const 1))
(assert_return (invoke "eq" (f64.const inf) (f64.const -inf)) (i32.const 0))
(assert_return (invoke "eq" (f64.const -inf) (f64.const -inf)) (i32.const 1))
(assert_return (invoke "eq" (f64.const nan) (f64.const nan)) (i32.const 0))
(assert_return (invoke "eq" (f64.const nan) (f64.const 1)) (i32.const 0))
(assert_return (invoke "eq" (f64.const 5e-324) (f64.const 0)) (i32.const 0))

;; f64.ne
(assert_return (invoke "ne" (f64.const 1) (f64.const 1)) (i32.const 0))
(assert_return (invoke "ne" (f64.const 1) (f64.const 2)) (i32.const 1))
(assert_return (invoke "ne" (f64.const 2) (f64.const 1)) (i32.const 1))
(assert_return (invoke "ne" (f64.const 0) (f64.const -0)) (i32.const 0))
(assert_return (invoke "ne" (f64.const inf) (f64.const -inf)) (i32.const 1))
(assert_return (invoke "ne" (f64.const -inf) (f64.const -inf)) (i32.const 0))
(assert_return (invoke "ne" (f64.const nan) (f64.const nan)) (i32.const 1))
(assert_return (invoke "ne" (f64.const nan) (f64.const 1)) (i32.const 1))
(assert_return (invoke "ne" (f64.const 5e-324) (f64.const 0)) (i32.const 1))

;; f64.lt
(assert_return (invoke "lt" (f64.const 1) (f64.const 1)) (i32.const 0))
(assert_return (invoke "lt" (f64.const 1) (f64.const 2)) (i32.const 1))
(assert_return (invoke "lt" (f64.const 2) (f64.const 1)) (i32.const 0))
(assert_return (invoke "lt" (f64.const 0) (f64.const -0)) (i32.const 0))
(assert_return (invoke "lt" (f64.const inf) (f64.const -inf)) (i32.const 0))
(assert_return (invoke "lt" (f64.const -inf) (f64.const -inf)) (i32.const 0))
(assert_return (invoke "lt" (f64.const nan) (f64.const nan)) (i32.const 0))
(assert_return (invoke "lt" (f64.const nan) (f64.const 1)) (i32.const 0))
(assert_return (invoke "lt" (f64.const 5e-324) (f64.const 0)) (i32.const 0))

;; f64.gt
(assert_return (invoke "gt" (f64.const 1) (f64.const 1)) (i32.const 0))
(assert_return (invoke "gt" (f64.const 1) (f64.const 2)) (i32.const 0))
(assert_return (invoke "gt" (f64.const 2) (f64.const 1)) (i32.const 1))
(assert_return (invoke "gt" (f64.const 0) (f64.const -0)) (i32.const 0))
(assert_return (invoke "gt" (f64.const inf) (f64.const -inf)) (i32.const 1))
(assert_return (invoke "gt" (f64.const -inf) (f64.const -inf)) (i32.const 0))
(assert_return (invoke "gt" (f64.const nan) (f64.const nan)) (i32.const 0))
(assert_return (invoke "gt" (f64.const nan) (f64.const 1)) (i32.const 0))
(assert_return (invoke "gt" (f64.const 5e-324) (f64.const 0)) (i32.const 1))

;; f64.le
(assert_return (invoke "le" (f64.const 1) (f64.const 1)) (i32.const 1))
(assert_return (invoke "le" (f64.const 1) (f64.const 2)) (i32.const 1))
(assert_return (invoke "le" (f64.const 2) (f64.const 1)) (i32.const 0))
(assert_return (invoke "le" (f64.const 0) (f64.const -0)) (i32.const 1))
(assert_return (invoke "le" (f64.const inf) (f64.const -inf)) (i32.const 0))
(assert_return (invoke "le" (f64.const -inf) (f64.const -inf)) (i32.const 1))
(assert_return (invoke "le" (f64.const nan) (f64.const nan)) (i32.const 0))
(assert_return (invoke "le" (f64.const nan) (f64.const 1)) (i32.const 0))
(assert_return (invoke "le" (f64.const 5e-324) (f64.const 0)) (i32.const 0))

;; f64.ge
(assert_return (invoke "ge" (f64.const 1) (f64.const 1)) (i32.const 1))
(assert_return (invoke "ge" (f64.const 1) (f64.const 2)) (i32.const 0))
(assert_return (invoke "ge" (f64.const 2) (f64.const 1)) (i32.const 1))
(assert_return (invoke "ge" (f64.const 0) (f64.const -0)) (i32.const 1))
(assert_return (invoke "ge" (f64.const inf) (f64.const -inf)) (i32.const 1))
(assert_return (invoke "ge" (f64.const -inf) (f64.const -inf)) (i32.const 1))
(assert_return (invoke "ge" (f64.const nan) (f64.const nan)) (i32.const 0))
(assert_return (invoke "ge" (f64.const nan) (f64.const 1)) (i32.const 0))
(assert_return (invoke "ge" (f64.const 5e-324) (f64.const 0)) (i32.const 1))
