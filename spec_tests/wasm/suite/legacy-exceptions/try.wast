;; The legacy proposal: what a try takes, what it keeps for rethrow, and where delegate passes an exception on to.

(module $tags
  (tag (export "number") (param i32))
  (func (export "throw") (param i32) (throw 0 (local.get 0)))
)
(register "tags" $tags)

(module
  (tag $number (import "tags" "number") (param i32))
  (func $far (import "tags" "throw") (param i32))
  (tag $wide (param i32 v128 f64))
  (tag $empty)

  (func $throw (param i32)
    (block $2 (block $1 (block $0
      (br_table $0 $1 $2 (local.get 0)))
      (call $far (i32.const 10)) (return))
      (throw $wide (i32.const 20) (v128.const i64x2 30 40) (f64.const 50)))
    (throw $empty))

  ;; Operands below the try are where they were, in every handler.
  (func (export "kinds") (param i32) (result i32)
    (i32.const 1000)
    (try (result i32)
      (do (i32.const 7) (call $throw (local.get 0)))
      (catch $number)
      (catch $wide (drop) (i64x2.extract_lane 1) (i32.wrap_i64) (i32.add))
      (catch_all (i32.const -1)))
    (i32.add))

  ;; Locals that a handler reads are those of the moment of the throw, wherever they stood.
  (func (export "locals") (param $n i32) (result i32) (local $sum i32) (local $x f64)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (local.get $n)))
      (local.set $x (f64.add (local.get $x) (f64.const 0.5)))
      (try
        (do
          (local.set $sum (i32.mul (local.get $sum) (i32.const 2)))
          (local.set $x (f64.add (local.get $x) (f64.const 1)))
          (call $throw (i32.rem_u (local.get $n) (i32.const 3)))
          (local.set $sum (i32.const -1)))
        (catch $number (local.set $sum (i32.add (local.get $sum))))
        (catch_all
          (local.set $sum (i32.add (local.get $sum) (i32.trunc_f64_s (local.get $x))))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; The handler's exception is kept while others are thrown and caught in it.
  (func (export "kept") (param i32) (result i32)
    (try (result i32)
      (do
        (try (result i32)
          (do (call $throw (local.get 0)) (i32.const 0))
          (catch_all
            (try (do (throw $empty)) (catch $empty))
            (try (do (throw $wide (i32.const 1) (v128.const i64x2 2 3) (f64.const 4))) (catch_all))
            (rethrow 0))))
      (catch $number)
      (catch $wide (drop) (drop))
      (catch_all (i32.const -1))))

  ;; Rethrown from within blocks, and from a handler in the body of a try in the handler.
  (func (export "from deep") (result i32)
    (try (result i32)
      (do
        (try
          (do (call $far (i32.const 77)))
          (catch $number
            (drop)
            (block (loop (try (do (if (i32.const 1) (then (rethrow 4)))) (catch $empty) (catch $wide unreachable)))))
          (catch_all))
        (i32.const 0))
      (catch $number)))

  ;; A try without handlers passes everything on; so does delegate 0.
  (func (export "passed on") (result i32)
    (try (result i32)
      (do (try (do (try (do (try (do (call $far (i32.const 5)))) ) (delegate 0)))) (i32.const 0))
      (catch $number)))

  ;; delegate passes over the tries between, and over the handler that it stands in.
  (func (export "passed over") (result i32)
    (try $far (result i32)
      (do
        (try (result i32)
          (do
            (try (result i32)
              (do (block $b (try (do (call $far (i32.const 6))) (delegate $far))) (i32.const 1))
              (catch_all (i32.const 2))))
          (catch $number)))
      (catch $number (i32.const 100) (i32.add))))
  (func (export "to a handler") (result i32)
    (try $out (result i32)
      (do
        (try $in (result i32)
          (do (throw $empty))
          (catch $empty (try (result i32) (do (call $far (i32.const 8)) (i32.const 1)) (delegate $in)))
          (catch $number (drop) (i32.const 2))))
      (catch $number)))
  (func (export "to the caller") (result i32)
    (try (result i32) (do (call $delegates) (i32.const 0)) (catch $number)))
  (func $delegates
    (try (do (try (do (call $far (i32.const 9))) (delegate 1))) (catch_all)))

  ;; What comes behind a delegate is not within its try.
  (func (export "behind") (result i32)
    (try $a (result i32)
      (do
        (try (result i32)
          (do (try (do) (delegate $a)) (call $far (i32.const 1)) (i32.const 0))
          (catch $number (i32.const 10) (i32.add))))
      (catch_all (i32.const -1))))

  ;; Branches out of bodies and handlers, with values.
  (func (export "branches") (param i32) (result i32)
    (try $t (result i32)
      (do
        (try
          (do (call $throw (local.get 0)))
          (catch $number (br $t))
          (catch $wide (drop) (drop) (br $t))
          (catch_all (br $t (i32.const 30))))
        (i32.const -1))
      (catch_all (i32.const -2))))

  ;; Both proposals together.
  (func (export "mixed") (result i32)
    (block $h (result i32)
      (try_table (result i32) (catch $number $h)
        (try (result i32)
          (do
            (block $all (result exnref)
              (try_table (result exnref) (catch_all_ref $all) (call $far (i32.const 3)) (ref.null exn)))
            (throw_ref))
          (catch $number (drop) (rethrow 0))))))

  (func (export "uncaught") (try (do (throw $empty)) (catch_all (rethrow 0))))
  (func (export "trap") (try (do unreachable) (catch_all)))
  (func $deep (export "exhaustion") (try (do (call $deep)) (catch_all)))
  (func (export "unreached") (result i32)
    (return (i32.const 4)) (try (result i32) (do (throw $empty)) (catch_all (rethrow 0))))
)

(assert_return (invoke "kinds" (i32.const 0)) (i32.const 1010))
(assert_return (invoke "kinds" (i32.const 1)) (i32.const 1060))
(assert_return (invoke "kinds" (i32.const 2)) (i32.const 999))
(assert_return (invoke "locals" (i32.const 1)) (i32.const 3))
(assert_return (invoke "locals" (i32.const 7)) (i32.const 2102))
(assert_return (invoke "kept" (i32.const 0)) (i32.const 10))
(assert_return (invoke "kept" (i32.const 1)) (i32.const 20))
(assert_return (invoke "kept" (i32.const 2)) (i32.const -1))
(assert_return (invoke "from deep") (i32.const 77))
(assert_return (invoke "passed on") (i32.const 5))
(assert_return (invoke "passed over") (i32.const 106))
(assert_return (invoke "to a handler") (i32.const 8))
(assert_return (invoke "to the caller") (i32.const 9))
(assert_return (invoke "behind") (i32.const 11))
(assert_return (invoke "branches" (i32.const 0)) (i32.const 10))
(assert_return (invoke "branches" (i32.const 1)) (i32.const 20))
(assert_return (invoke "branches" (i32.const 2)) (i32.const 30))
(assert_return (invoke "mixed") (i32.const 3))
(assert_exception (invoke "uncaught"))
(assert_trap (invoke "trap") "unreachable")
(assert_exhaustion (invoke "exhaustion") "call stack exhausted")
(assert_return (invoke "unreached") (i32.const 4))

;; What is invalid.

(assert_invalid (module (func (try (do) (catch 0)))) "unknown tag")
(assert_invalid (module (tag) (func (try (do) (catch 0 (rethrow 1))))) "invalid rethrow label")
(assert_invalid (module (func (try (do) (catch_all (rethrow 2))))) "unknown label")
(assert_invalid (module (func (try (do (rethrow 0)) (catch_all)))) "invalid rethrow label")
(assert_invalid (module (func (try (do) (delegate 1)))) "unknown label")
(assert_invalid (module (func (result i32) (try (result i32) (do (i32.const 1)) (catch_all)))) "type mismatch")
(assert_invalid (module (tag (param i32)) (func (try (do) (catch 0)))) "type mismatch")
(assert_invalid (module (func (result i32) (try (result i32) (do) (delegate 0)))) "type mismatch")
(assert_invalid
  (module (elem declare func 0)
    (func (local (ref func)) (try (do (local.set 0 (ref.func 0))) (catch_all (drop (local.get 0))))))
  "uninitialized local")

;; Handlers out of place, in bytes: catch, delegate and catch_all where there is no try, or not any more.

(assert_malformed
  (module binary "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00\0d\03\01\00\00\0a\06\01\04\00\07\00\0b") "END opcode expected")
(assert_malformed (module binary "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00\0a\06\01\04\00\18\00\0b") "END opcode expected")
(assert_malformed (module binary "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00\0a\07\01\05\00\19\0b\0b") "END opcode expected")
(assert_malformed
  (module binary "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00\0a\0a\01\08\00\06\40\19\19\0b\0b") "END opcode expected")
(assert_malformed
  (module binary "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00\0a\0a\01\08\00\06\40\19\18\00\0b") "END opcode expected")
(assert_malformed
  (module binary "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00\0a\0a\01\08\00\02\40\19\0b\0b") "")
