;; One module, many ways to write it: comments, folding, identifiers, abbreviations, annotations.

(;(; nested ;) block ;;comment (; ;) ;)
(;;)(module;;no space needed
(func(export "f")(result i32)(i32.const 1)))
(assert_return (invoke "f") (i32.const 1))

(module $"a name with spaces"
  (func $"f g" (export "quoted") (param $"x \"y\"" i32) (result i32) local.get $"x \22y\22")
  (func $!#$%&'*+-./:<=>?@\^_`|~ (export "symbols") (result i32) (call $"f g" (i32.const 3)))
  (func $0 (export "digit") (result i32) (call $"!#$%&'*+-./:<=>?@\\^_`|~"))
  (func (export "plain") (param $p i32) (result i32)
    (local $l i32)
    local.get $p
    local.set $l
    block $done (result i32)
      i32.const 5
      local.get $l
      br_if $done
      drop
      local.get $l
      if $i (result i32)
        i32.const 6
      else $i
        i32.const 7
      end $i
    end $done
  )
  (func (export "mixed") (param i32) (result i32)
    local.get 0 (i32.const 2) i32.mul
    (i32.add (i32.const 1))
    (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 10)) (else i32.const 20 nop))
    i32.add
  )
)
(assert_return (invoke "quoted" (i32.const 9)) (i32.const 9))
(assert_return (invoke $"a name with spaces" "symbols") (i32.const 3))
(assert_return (invoke "digit") (i32.const 3))
(assert_return (invoke "plain" (i32.const 0)) (i32.const 7))
(assert_return (invoke "plain" (i32.const 1)) (i32.const 5))
(assert_return (invoke "mixed" (i32.const 0)) (i32.const 11))
(assert_return (invoke "mixed" (i32.const 4)) (i32.const 29))

;; Names shadow outwards for labels, and each space has names of its own.
(module
  (type $x (func (result i32)))
  (table $x 1 funcref)
  (memory $x 1)
  (global $x i32 (i32.const 3))
  (elem $x (table $x) (i32.const 0) func $x)
  (data $x (i32.const 0) "\04")
  (func $x (export "x") (type $x) (local $x i32)
    (local.set $x (i32.const 1))
    (block $x (result i32)
      (block $x (br $x) (unreachable))
      (br $x (i32.add (local.get $x) (i32.add (global.get $x) (i32.load8_u $x (i32.const 0)))))
    )
  )
  (func (export "indirect") (result i32) (call_indirect $x (type $x) (i32.const 0)))
)
(assert_return (invoke "x") (i32.const 8))
(assert_return (invoke "indirect") (i32.const 8))

;; Definitions may be used before they stand.
(module
  (export "late" (func $late))
  (start $init)
  (elem (i32.const 0) $late)
  (func $init (global.set $g (i32.const 5)))
  (func $late (type $t) (i32.add (local.get 0) (global.get $g)))
  (global $g (mut i32) (i32.const 0))
  (table 1 funcref)
  (type $t (func (param i32) (result i32)))
)
(assert_return (invoke "late" (i32.const 2)) (i32.const 7))

;; A type written inline is the first definition that is equal to it.
(module
  (type $a (func (param i32) (result i32)))
  (type $b (func (param i32) (result i32)))
  (func $f (param i32) (result i32) (local.get 0))
  (func $g (type $b) (i32.const 8))
  (table funcref (elem $f $g))
  (func (export "call") (param i32) (result i32) (call_indirect (type 1) (i32.const 7) (local.get 0)))
  (func (export "inline") (param i32) (result i32)
    (call_indirect (param i32) (result i32) (i32.const 6) (local.get 0))
  )
)
(assert_return (invoke "call" (i32.const 0)) (i32.const 7))
(assert_return (invoke "call" (i32.const 1)) (i32.const 8))
(assert_return (invoke "inline" (i32.const 0)) (i32.const 6))

;; Annotations say nothing to the module.
((@a) module (@b "x" (y) ,;) $m (@c)
  (@custom "mine" (after func) "\00\01")
  (func (@name "f") (export "f") (result (@d) i32) (@e (nested (@f))) (i32.const (@g) 12))
)
(assert_return (invoke $m "f") (i32.const 12))

;; A script's module may be quoted, or bytes.
(module quote "(func (export \"q\") (result i32)" "i32.const" " 13)")
(assert_return (invoke "q") (i32.const 13))
(module $bytes binary
  "\00asm\01\00\00\00"
  "\01\05\01\60\00\01\7f"       ;; type 0: [] -> [i32]
  "\03\02\01\00"                ;; function 0 of type 0
  "\07\05\01\01b\00\00"         ;; export "b"
  "\0a\06\01\04\00\41\0e\0b"    ;; i32.const 14
)
(assert_return (invoke $bytes "b") (i32.const 14))
