;; What a vector can be: a value of every kind of place, and a row of lanes.

(module $a
  (global (export "g") v128 (v128.const f32x4 1 -0 nan inf))
  (global (export "m") (mut v128) (v128.const i64x2 0 -1))
  (func (export "turn") (param v128) (result v128)
    (i8x16.shuffle 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0 (local.get 0) (local.get 0))))
(assert_return (get "g") (v128.const i32x4 0x3f800000 0x80000000 0x7fc00000 0x7f800000))
(assert_return (get "g") (v128.const f32x4 1 -0 nan:canonical inf))
(assert_return (get "m") (v128.const i16x8 0 0 0 0 -1 -1 -1 -1))
(assert_return (invoke "turn" (v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15))
  (v128.const i8x16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0))
(register "a")

;; Globals of vectors link by their type, and a mutable one is shared.
(module $b
  (global $g (import "a" "g") v128)
  (global $m (import "a" "m") (mut v128))
  (global (export "copy") v128 (global.get $g))
  (func (export "set") (param v128) (global.set $m (local.get 0))))
(assert_return (get "copy") (v128.const f32x4 1 -0 nan:arithmetic inf))
(assert_return (invoke "set" (v128.const f64x2 -0 0x1p-1074)))
(assert_return (get $a "m") (v128.const i64x2 0x8000000000000000 1))
(assert_unlinkable (module (import "a" "m" (global (mut i64))) (func (drop (v128.const i64x2 0 0))))
  "incompatible import type")

;; Arithmetic makes the canonical NaN, a selection passes what it is given.
(module
  (func (export "add") (param v128 v128) (result v128) (f64x2.add (local.get 0) (local.get 1)))
  (func (export "pmin") (param v128 v128) (result v128) (f64x2.pmin (local.get 0) (local.get 1)))
  (func (export "min") (param v128 v128) (result v128) (f32x4.min (local.get 0) (local.get 1))))
(assert_return (invoke "add" (v128.const f64x2 nan:0x1 inf) (v128.const f64x2 -nan:0x2 -inf))
  (v128.const i64x2 0x7ff8000000000000 0x7ff8000000000000))
(assert_return (invoke "pmin" (v128.const f64x2 nan:0x1 2) (v128.const f64x2 1 -nan:0x3))
  (v128.const i64x2 0x7ff0000000000001 0x4000000000000000))
(assert_return (invoke "min" (v128.const f32x4 0 -0 nan:0x1 1) (v128.const f32x4 -0 0 1 -nan:0x3))
  (v128.const i32x4 0x80000000 0x80000000 0x7fc00000 0x7fc00000))

;; Two of its memory accesses touch the last bytes, and one goes beyond them.
(module (memory 1)
  (func (export "store") (param i32 v128) (v128.store (local.get 0) (local.get 1)))
  (func (export "lane") (param i32) (result v128)
    (v128.load8_lane 15 (local.get 0) (v128.const i64x2 0 0))))
(assert_return (invoke "store" (i32.const 65520) (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)))
(assert_return (invoke "lane" (i32.const 65535)) (v128.const i8x16 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 16))
(assert_trap (invoke "store" (i32.const 65521) (v128.const i64x2 0 0)) "out of bounds memory access")
(assert_return (invoke "lane" (i32.const 65521)) (v128.const i8x16 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 2))
