;; br_table: the index is unsigned, and everything beyond the last label goes to the default.

(module
  (func (export "only-default") (param i32) (result i32)
    (block (br_table 0 (local.get 0)) (return (i32.const -1)))
    (i32.const 2)
  )
  (func (export "switch") (param i32) (result i32)
    (block $default
      (block $three
        (block $two
          (block $one
            (block $zero
              (br_table $zero $one $two $three $one $default (local.get 0))
            )
            (return (i32.const 100))
          )
          (return (i32.const 101))
        )
        (return (i32.const 102))
      )
      (return (i32.const 103))
    )
    (i32.const 104)
  )
  (func (export "values") (param i32) (result i32)
    (block $a (result i32)
      (i32.add
        (i32.const 10)
        (block $b (result i32)
          (i32.add (i32.const 100) (block $c (result i32) (br_table $c $b $a (i32.const 1) (local.get 0))))
        )
      )
    )
  )
  (func (export "pairs") (param i32) (result i32 i32)
    (block (result i32 i32)
      (block (result i32 i32)
        (i32.const 7) (i32.const 8) (local.get 0) (br_table 0 1)
      )
      (drop) (i32.const 9)
    )
  )
  (func (export "loop") (param i32) (result i32)
    (local $steps i32)
    (loop $again
      (local.set $steps (i32.add (local.get $steps) (i32.const 1)))
      (block $out
        (block $next
          (br_table $out $next $next $next (i32.sub (local.get 0) (i32.const 1)))
        )
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br $again)
      )
    )
    (local.get $steps)
  )
  (func (export "function") (param i32) (result i32)
    (block (result i32) (br_table 0 1 (i32.const 5) (local.get 0)))
    (i32.add (i32.const 1))
  )
)

(assert_return (invoke "only-default" (i32.const 0)) (i32.const 2))
(assert_return (invoke "only-default" (i32.const 1)) (i32.const 2))
(assert_return (invoke "only-default" (i32.const -1)) (i32.const 2))

(assert_return (invoke "switch" (i32.const 0)) (i32.const 100))
(assert_return (invoke "switch" (i32.const 1)) (i32.const 101))
(assert_return (invoke "switch" (i32.const 2)) (i32.const 102))
(assert_return (invoke "switch" (i32.const 3)) (i32.const 103))
(assert_return (invoke "switch" (i32.const 4)) (i32.const 101))
(assert_return (invoke "switch" (i32.const 5)) (i32.const 104))
(assert_return (invoke "switch" (i32.const 6)) (i32.const 104))
(assert_return (invoke "switch" (i32.const 0x80000000)) (i32.const 104))
(assert_return (invoke "switch" (i32.const -1)) (i32.const 104))

(assert_return (invoke "values" (i32.const 0)) (i32.const 111))
(assert_return (invoke "values" (i32.const 1)) (i32.const 11))
(assert_return (invoke "values" (i32.const 2)) (i32.const 1))
(assert_return (invoke "values" (i32.const 3)) (i32.const 1))

(assert_return (invoke "pairs" (i32.const 0)) (i32.const 7) (i32.const 9))
(assert_return (invoke "pairs" (i32.const 1)) (i32.const 7) (i32.const 8))

(assert_return (invoke "loop" (i32.const 1)) (i32.const 1))
(assert_return (invoke "loop" (i32.const 40)) (i32.const 40))

(assert_return (invoke "function" (i32.const 0)) (i32.const 6))
(assert_return (invoke "function" (i32.const 1)) (i32.const 5))

(assert_invalid
  (module (func (block (block (result i32) (br_table 0 1 (i32.const 1) (i32.const 0))) (drop))))
  "type mismatch"
)
(assert_invalid (module (func (block (br_table 0 2 (i32.const 0))))) "unknown label")
(assert_invalid (module (func (block (br_table 0 0 (i64.const 0))))) "type mismatch")
(assert_malformed (module quote "(func (block (br_table (i32.const 0))))") "unexpected token")
