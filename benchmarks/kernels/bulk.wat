;; Bulk memory: n rounds of filling 64 KiB, copying it to an overlapping and to a distant place, and summing a few bytes.
(module
  (memory 8)
  (func (export "run") (param $n i32) (result i32)
    (local $sum i32)
    (loop $again
      (memory.fill (i32.const 0) (local.get $n) (i32.const 65536))
      (memory.copy (i32.const 1024) (i32.const 0) (i32.const 65536))
      (memory.copy (i32.const 262144) (i32.const 512) (i32.const 65536))
      (local.set $sum
        (i32.add
          (i32.mul (local.get $sum) (i32.const 31))
          (i32.add
            (i32.load8_u (i32.const 66000))
            (i32.load8_u (i32.const 300000)))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))
