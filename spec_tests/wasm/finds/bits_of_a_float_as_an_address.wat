;; The bits of a float constant were taken for an integer known to be 0: an address, or a number of places to shift by.
(module
  (memory 1)
  (func (export "f") (result i32)
    (i32.shl (i32.const 3) (i32.reinterpret_f32 (f32.const 0x1p-149))))
  (func (export "g") (result i32)
    (i32.store (i32.reinterpret_f32 (f32.const 0x40p-149)) (i32.const 7))
    (i32.load offset=8 (i32.reinterpret_f32 (f32.const 0x38p-149))))
  (func (export "h") (result i32)
    (i32.load offset=4 (i32.reinterpret_f32 (f32.const -1)))))
