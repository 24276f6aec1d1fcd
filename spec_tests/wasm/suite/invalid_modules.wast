;; Modules that break a rule of validation.

;; operands
(assert_invalid (module (func (i32.add (i32.const 1)))) "type mismatch")
(assert_invalid (module (func (drop))) "type mismatch")
(assert_invalid (module (func (result i32) (i32.add (i32.const 1) (i64.const 1)))) "type mismatch")
(assert_invalid (module (func (result i32) (i64.add (i64.const 1) (i64.const 1)))) "type mismatch")
(assert_invalid (module (func (result f32) (f64.sqrt (f32.const 1)))) "type mismatch")
(assert_invalid (module (func (result i32) (i32.eqz (i64.const 0)))) "type mismatch")
(assert_invalid (module (func (result i64) (i64.eqz (i64.const 0)))) "type mismatch")
(assert_invalid (module (func (result i64) (i64.extend_i32_s (i64.const 0)))) "type mismatch")
(assert_invalid (module (func (result i32) (i32.trunc_f32_s (f64.const 0)))) "type mismatch")
(assert_invalid (module (func (result i64) (i64.shl (i64.const 1) (i32.const 1)))) "type mismatch")

;; results
(assert_invalid (module (func (result i32))) "type mismatch")
(assert_invalid (module (func (result i32) (nop))) "type mismatch")
(assert_invalid (module (func (result i32) (i64.const 0))) "type mismatch")
(assert_invalid (module (func (i32.const 0))) "type mismatch")
(assert_invalid (module (func (result i32) (i32.const 0) (i32.const 0))) "type mismatch")
(assert_invalid (module (func (result i32 i32) (i32.const 0))) "type mismatch")
(assert_invalid (module (func (result i32 i64) (i64.const 0) (i32.const 0))) "type mismatch")
(assert_invalid (module (func (result i32) (return))) "type mismatch")
(assert_invalid (module (func (result i32) (return (i64.const 0)))) "type mismatch")
(assert_invalid (module (func (result i32) (drop (return)) (i32.const 1))) "type mismatch")

;; blocks
(assert_invalid (module (func (block (i32.const 0)))) "type mismatch")
(assert_invalid (module (func (result i32) (block (result i32)))) "type mismatch")
(assert_invalid (module (func (result i32) (block (result i64) (i64.const 0)))) "type mismatch")
(assert_invalid (module (func (i32.const 0) (block (drop)))) "type mismatch")
(assert_invalid (module (func (block (param i32) (drop)))) "type mismatch")
(assert_invalid (module (func (result i32) (i32.const 0) (loop (param i32) (drop)))) "type mismatch")
(assert_invalid (module (func (result i32) (if (result i32) (i32.const 1) (then (i32.const 1))))) "type mismatch")
(assert_invalid
  (module (func (if (result i32) (i32.const 1) (then (i32.const 1)) (else (i64.const 1))) (drop)))
  "type mismatch"
)
(assert_invalid (module (func (if (then)))) "type mismatch")
(assert_invalid (module (func (if (i64.const 1) (then)))) "type mismatch")
(assert_invalid (module (func (block (type 7)))) "unknown type")

;; branches
(assert_invalid (module (func (br 1))) "unknown label")
(assert_invalid (module (func (block (loop (br 3))))) "unknown label")
(assert_invalid (module (func (br_if 5 (i32.const 0)))) "unknown label")
(assert_invalid (module (func (result i32) (br 0))) "type mismatch")
(assert_invalid (module (func (block (result i32) (br 0)) (drop))) "type mismatch")
(assert_invalid (module (func (block (result i32) (br 0 (f32.const 0))) (drop))) "type mismatch")
(assert_invalid (module (func (block (br_if 0)))) "type mismatch")
(assert_invalid (module (func (block (br_if 0 (i64.const 0))))) "type mismatch")
(assert_invalid (module (func (result i32) (block (result i32) (br_if 0 (i32.const 1))))) "type mismatch")
(assert_invalid
  (module (func (result i32) (loop (param i32) (result i32) (br 0)) ))
  "type mismatch"
)

;; behind a branch the stack is whatever is asked for, but what is there must fit
(module (func (result i32) (unreachable) (i32.add)))
(module (func (result i64) (return (i64.const 0)) (i32.const 0) (i64.extend_i32_u)))
(module (func (block (result i32) (br 0 (i32.const 1)) (select)) (drop)))
(module (func (unreachable) (drop) (drop) (br_if 0)))
(assert_invalid (module (func (unreachable) (i64.const 0) (i32.eqz) (drop))) "type mismatch")
(assert_invalid (module (func (result i32) (unreachable) (i64.const 0))) "type mismatch")
(assert_invalid (module (func (unreachable) (i32.const 0))) "type mismatch")
(assert_invalid (module (func (block (br 0) (i32.const 0)))) "type mismatch")
(assert_invalid (module (func (unreachable) (i32.add (f32.const 0)) (drop))) "type mismatch")
(assert_invalid (module (func (unreachable) (call 9))) "unknown function")
(assert_invalid (module (func (unreachable) (local.get 3) (drop))) "unknown local")

;; indices
(assert_invalid (module (func (type 2))) "unknown type")
(assert_invalid (module (func (local.set 1 (i32.const 0)))) "unknown local")
(assert_invalid (module (func (param i32) (local i64) (drop (local.get 2)))) "unknown local")
(assert_invalid (module (func (drop (global.get 0)))) "unknown global")
(assert_invalid (module (func (call 4294967295))) "unknown function")
(assert_invalid (module (global i32 (global.get 0))) "unknown global")
(assert_invalid (module (global i32 (global.get 1)) (global i32 (i32.const 0))) "unknown global")
