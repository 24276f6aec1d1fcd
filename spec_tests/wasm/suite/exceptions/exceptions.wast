;; Exceptions: what each clause takes, how far they travel, and what is left on the stack where they are caught.

(module $tags
  (tag (export "number") (param i32))
)
(register "tags" $tags)

(module
  (tag $number (import "tags" "number") (param i32))
  (tag $pair (param i32 i64))
  (tag $empty)

  (func $throw (param i32)
    (block $default
      (block $2 (block $1 (block $0
        (br_table $0 $1 $2 $default (local.get 0)))
        (throw $number (i32.const 10)))
        (throw $pair (i32.const 20) (i64.const 30)))
        (throw $empty)))

  ;; 0: the number, 1: the sum of the pair, 2: by catch_all, 3: nothing was thrown
  (func (export "kinds") (param i32) (result i32)
    (block $all
      (block $pair (result i32 i64)
        (block $number (result i32)
          (try_table (catch $number $number) (catch $pair $pair) (catch_all $all)
            (call $throw (local.get 0)))
          (return (i32.const -1)))
        (return))
      (i32.wrap_i64) (i32.add) (return))
    (i32.const -2))

  ;; The clause of the inner block does not take it, so it goes to the outer one, and takes the operands below along.
  (func (export "outer") (result i32)
    (i32.const 1000)
    (block $caught (result i32)
      (try_table (result i32) (catch $number $caught)
        (i32.const 5)
        (i32.const 6)
        (block $not (try_table (catch $empty $not) (call $throw (i32.const 0))))
        (drop) (drop) (i32.const 7)))
    (i32.add))

  ;; Caught with its reference, thrown again, and caught by its tag.
  (func (export "again") (result i32)
    (block $value (result i32)
      (try_table (result i32) (catch $number $value)
        (throw_ref (block $ref (result exnref)
          (try_table (result exnref) (catch_all_ref $ref) (call $throw (i32.const 0)) (ref.null exn)))))))

  ;; Values and reference together.
  (func (export "both") (result i32)
    (block $h (result i32 i64 (ref exn))
      (try_table (catch_ref $pair $h) (call $throw (i32.const 1)))
      (return (i32.const 0)))
    (drop) (drop))

  (func (export "null") (throw_ref (ref.null exn)))
  (func (export "uncaught") (param i32) (call $throw (local.get 0)))

  ;; A clause that leads to a loop.
  (func (export "retry") (param $n i32) (result i32)
    (loop $again
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (try_table (catch $empty $again)
        (if (local.get $n) (then (throw $empty)))))
    (local.get $n))

  ;; A trap is no exception.
  (func (export "trap") (result i32)
    (block $h (try_table (catch_all $h) (unreachable)))
    (i32.const 1))

  ;; Nothing catches what is thrown after the block.
  (func (export "behind")
    (block $h (try_table (catch_all $h)) (throw $empty)))
)

(assert_return (invoke "kinds" (i32.const 0)) (i32.const 10))
(assert_return (invoke "kinds" (i32.const 1)) (i32.const 50))
(assert_return (invoke "kinds" (i32.const 2)) (i32.const -2))
(assert_return (invoke "kinds" (i32.const 3)) (i32.const -1))
(assert_return (invoke "outer") (i32.const 1010))
(assert_return (invoke "again") (i32.const 10))
(assert_return (invoke "both") (i32.const 20))
(assert_trap (invoke "null") "null exception reference")
(assert_exception (invoke "uncaught" (i32.const 0)))
(assert_exception (invoke "uncaught" (i32.const 1)))
(assert_return (invoke "uncaught" (i32.const 3)))
(assert_return (invoke "retry" (i32.const 100)) (i32.const 0))
(assert_trap (invoke "trap") "unreachable")
(assert_exception (invoke "behind"))

(assert_invalid (module (tag $t (param i32)) (func (throw $t))) "type mismatch")
(assert_invalid
  (module (tag $t (param i32)) (func (block $h (result i64) (try_table (catch $t $h)) (i64.const 0)) (drop)))
  "type mismatch")
(assert_invalid (module (tag (result i32))) "non-empty tag result type")
(assert_invalid (module (tag) (func (throw 1))) "unknown tag")
(assert_unlinkable (module (tag (import "tags" "number") (param i64))) "incompatible import type")
