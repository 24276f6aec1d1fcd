;; memory.fill, memory.copy, memory.init and data.drop: all or nothing, and overlapping ranges.

(module
  (memory 1 1)
  (data (i32.const 0) "abcdefgh")
  (data $passive "0123456789")
  (data $used (i32.const 16) "used")
  (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
  (func (export "init") (param i32 i32 i32) (memory.init $passive (local.get 0) (local.get 1) (local.get 2)))
  (func (export "init-used") (param i32 i32 i32) (memory.init $used (local.get 0) (local.get 1) (local.get 2)))
  (func (export "drop") (data.drop $passive))
  (func (export "load") (param i32) (result i64) (i64.load (local.get 0)))
  (func (export "load8") (param i32) (result i32) (i32.load8_u (local.get 0)))
)

;; fill: the value's low byte
(assert_return (invoke "fill" (i32.const 32) (i32.const 0x1234) (i32.const 3)))
(assert_return (invoke "load" (i32.const 32)) (i64.const 0x343434))
(assert_return (invoke "fill" (i32.const 33) (i32.const -1) (i32.const 1)))
(assert_return (invoke "load" (i32.const 32)) (i64.const 0x34ff34))
(assert_return (invoke "fill" (i32.const 65536) (i32.const 1) (i32.const 0)))
(assert_trap (invoke "fill" (i32.const 65537) (i32.const 1) (i32.const 0)) "out of bounds memory access")
(assert_trap (invoke "fill" (i32.const 65530) (i32.const 1) (i32.const 7)) "out of bounds memory access")
(assert_return (invoke "load8" (i32.const 65530)) (i32.const 0))
(assert_trap (invoke "fill" (i32.const 1) (i32.const 1) (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "fill" (i32.const -1) (i32.const 1) (i32.const 2)) "out of bounds memory access")
(assert_return (invoke "fill" (i32.const 65530) (i32.const 9) (i32.const 6)))
(assert_return (invoke "load8" (i32.const 65535)) (i32.const 9))

;; copy: ranges may overlap either way
(assert_return (invoke "copy" (i32.const 100) (i32.const 0) (i32.const 8)))
(assert_return (invoke "load" (i32.const 100)) (i64.const 0x6867666564636261))
(assert_return (invoke "copy" (i32.const 102) (i32.const 100) (i32.const 6)))
(assert_return (invoke "load" (i32.const 100)) (i64.const 0x6665646362616261))
(assert_return (invoke "copy" (i32.const 200) (i32.const 0) (i32.const 8)))
(assert_return (invoke "copy" (i32.const 200) (i32.const 202) (i32.const 6)))
(assert_return (invoke "load" (i32.const 200)) (i64.const 0x6867686766656463))
(assert_return (invoke "copy" (i32.const 200) (i32.const 200) (i32.const 8)))
(assert_return (invoke "load" (i32.const 200)) (i64.const 0x6867686766656463))
(assert_return (invoke "copy" (i32.const 65536) (i32.const 65536) (i32.const 0)))
(assert_trap (invoke "copy" (i32.const 65537) (i32.const 0) (i32.const 0)) "out of bounds memory access")
(assert_trap (invoke "copy" (i32.const 0) (i32.const 65537) (i32.const 0)) "out of bounds memory access")
(assert_trap (invoke "copy" (i32.const 65532) (i32.const 0) (i32.const 5)) "out of bounds memory access")
(assert_trap (invoke "copy" (i32.const 0) (i32.const 65532) (i32.const 5)) "out of bounds memory access")
(assert_trap (invoke "copy" (i32.const 0) (i32.const 1) (i32.const -1)) "out of bounds memory access")
(assert_return (invoke "load" (i32.const 0)) (i64.const 0x6867666564636261))
(assert_return (invoke "load8" (i32.const 65532)) (i32.const 9))

;; init: from a segment, which has bounds of its own
(assert_return (invoke "init" (i32.const 300) (i32.const 2) (i32.const 4)))
(assert_return (invoke "load" (i32.const 300)) (i64.const 0x35343332))
(assert_return (invoke "init" (i32.const 65536) (i32.const 10) (i32.const 0)))
(assert_trap (invoke "init" (i32.const 0) (i32.const 11) (i32.const 0)) "out of bounds memory access")
(assert_trap (invoke "init" (i32.const 0) (i32.const 9) (i32.const 2)) "out of bounds memory access")
(assert_trap (invoke "init" (i32.const 65530) (i32.const 0) (i32.const 7)) "out of bounds memory access")
(assert_trap (invoke "init" (i32.const 0) (i32.const -1) (i32.const 2)) "out of bounds memory access")
(assert_return (invoke "load8" (i32.const 65530)) (i32.const 9))

;; An active segment is dropped once it was used; so is a passive one, on request.
(assert_return (invoke "load" (i32.const 16)) (i64.const 0x64657375))
(assert_return (invoke "init-used" (i32.const 0) (i32.const 0) (i32.const 0)))
(assert_trap (invoke "init-used" (i32.const 0) (i32.const 0) (i32.const 1)) "out of bounds memory access")
(assert_return (invoke "drop"))
(assert_return (invoke "drop"))
(assert_return (invoke "init" (i32.const 0) (i32.const 0) (i32.const 0)))
(assert_trap (invoke "init" (i32.const 0) (i32.const 0) (i32.const 1)) "out of bounds memory access")

;; Large ranges.
(assert_return (invoke "fill" (i32.const 0) (i32.const 0x5a) (i32.const 65536)))
(assert_return (invoke "load" (i32.const 65528)) (i64.const 0x5a5a5a5a5a5a5a5a))
(assert_return (invoke "fill" (i32.const 0) (i32.const 0) (i32.const 30000)))
(assert_return (invoke "copy" (i32.const 1) (i32.const 0) (i32.const 65535)))
(assert_return (invoke "load8" (i32.const 30000)) (i32.const 0))
(assert_return (invoke "load8" (i32.const 30001)) (i32.const 0x5a))

(assert_invalid (module (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))) "unknown memory")
(assert_invalid (module (func (memory.copy (i32.const 0) (i32.const 0) (i32.const 0)))) "unknown memory")
(assert_invalid
  (module (memory 1) (func (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0))))
  "unknown data segment"
)
(assert_invalid (module (func (data.drop 0))) "unknown data segment")
(assert_invalid
  (module (memory 1) (func (memory.copy (i32.const 0) (i32.const 0) (i64.const 0))))
  "type mismatch"
)
(assert_invalid (module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0)))) "type mismatch")
