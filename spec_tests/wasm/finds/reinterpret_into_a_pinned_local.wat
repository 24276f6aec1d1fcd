;; A float was made, renamed to an integer, and put into an integer local that lives in a register: the instruction that
;; made the float was told to write the register of that number among the float registers.
(module
  (global $g (mut f64) (f64.const 2.5))
  (func (export "f") (param i64) (result i64)
    (local $hot i64)
    (drop (local.get $hot)) (drop (local.get $hot)) (drop (local.get $hot)) (drop (local.get $hot))
    (drop (local.get $hot)) (drop (local.get $hot)) (drop (local.get $hot)) (drop (local.get $hot))
    (local.set $hot (i64.reinterpret_f64 (global.get $g)))
    (i64.add (local.get $hot) (local.get 0)))
  (func (export "g") (param i64) (result i64)
    (local $hot i64)
    (drop (local.get $hot)) (drop (local.get $hot)) (drop (local.get $hot)) (drop (local.get $hot))
    (drop (local.get $hot)) (drop (local.get $hot)) (drop (local.get $hot)) (drop (local.get $hot))
    (global.get $g) ;; takes the register for temporaries
    (local.set $hot (i64.reinterpret_f64 (f64.neg (global.get $g))))
    (drop)
    (i64.add (local.get $hot) (local.get 0))))
