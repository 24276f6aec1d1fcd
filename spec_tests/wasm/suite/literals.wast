;; Numbers and strings as the text writes them.

(module
  (func (export "i32") (result i32 i32 i32 i32 i32 i32)
    (i32.const 0x0bAdD00d) (i32.const +1_000_000) (i32.const -0) (i32.const 4294967295) (i32.const -2147483648)
    (i32.const 0x8000_0000)
  )
  (func (export "i64") (result i64 i64 i64 i64)
    (i64.const 0xF_e_d_c_b_a_9_8_7_6_5_4_3_2_1_0) (i64.const 18446744073709551615) (i64.const -0x8000000000000000)
    (i64.const 00000000000000000000000000009)
  )
  (func (export "f32-bits") (result i32 i32 i32 i32 i32 i32 i32 i32)
    (i32.reinterpret_f32 (f32.const 1)) (i32.reinterpret_f32 (f32.const -0.)) (i32.reinterpret_f32 (f32.const 1e-45))
    (i32.reinterpret_f32 (f32.const 0x1.fffffep127)) (i32.reinterpret_f32 (f32.const inf))
    (i32.reinterpret_f32 (f32.const nan)) (i32.reinterpret_f32 (f32.const -nan:0x1))
    (i32.reinterpret_f32 (f32.const 0x0.p0))
  )
  (func (export "none"))
)
(assert_return (invoke "i32")
  (i32.const 195940365) (i32.const 1000000) (i32.const 0) (i32.const -1) (i32.const 0x80000000) (i32.const 0x80000000)
)
(assert_return (invoke "i64")
  (i64.const -81985529216486896) (i64.const -1) (i64.const 0x8000000000000000) (i64.const 9)
)
(assert_return (invoke "f32-bits")
  (i32.const 0x3f800000) (i32.const 0x80000000) (i32.const 1) (i32.const 0x7f7fffff) (i32.const 0x7f800000)
  (i32.const 0x7fc00000) (i32.const 0xff800001) (i32.const 0)
)

;; Decimals and hexadecimals are rounded once, to nearest, ties to even; a double in between would round twice.
(module
  (func (export "f32") (result i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
    (i32.reinterpret_f32 (f32.const 16777217))
    (i32.reinterpret_f32 (f32.const 16777219))
    (i32.reinterpret_f32 (f32.const 16777217.0000000000000001))
    (i32.reinterpret_f32 (f32.const 0x1.000001p0))
    (i32.reinterpret_f32 (f32.const 0x1.000003p0))
    (i32.reinterpret_f32 (f32.const 0x1.00000100000000000000001p0))
    (i32.reinterpret_f32 (f32.const 8388609.5))
    (i32.reinterpret_f32 (f32.const 8388608.5))
    (i32.reinterpret_f32 (f32.const 1.00000017881393421514957253748434595763683319091796875001))
    (i32.reinterpret_f32 (f32.const 3.4028235677973365e38))
    (i32.reinterpret_f32 (f32.const 1.1754942807573642918278299103576651e-38))
    (i32.reinterpret_f32 (f32.const 1.4e-45))
    (i32.reinterpret_f32 (f32.const 0.7e-45))
    (i32.reinterpret_f32 (f32.const 0.71e-45))
    (i32.reinterpret_f32 (f32.const 0x1p-150))
    (i32.reinterpret_f32 (f32.const 0x1.8p-150))
    (i32.reinterpret_f32 (f32.const 0x0.000001p-126))
    (i32.reinterpret_f32 (f32.const 1_2.5_0e-0_1))
    (i32.reinterpret_f32 (f32.const 0x1.8P+1))
    (i32.reinterpret_f32 (f32.const 6.0E0))
    (i32.reinterpret_f32 (f32.const 123456789.123456789e-20))
  )
  (func (export "f64") (result i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    (i64.reinterpret_f64 (f64.const 9007199254740993))
    (i64.reinterpret_f64 (f64.const 9007199254740995))
    (i64.reinterpret_f64 (f64.const 9007199254740993.00000000000000000001))
    (i64.reinterpret_f64 (f64.const 0.1))
    (i64.reinterpret_f64 (f64.const 0x1.00000000000008p0))
    (i64.reinterpret_f64 (f64.const 0x1.00000000000018p0))
    (i64.reinterpret_f64 (f64.const 1.7976931348623157e308))
    (i64.reinterpret_f64 (f64.const 4.9406564584124654e-324))
    (i64.reinterpret_f64 (f64.const 2.4703282292062327e-324))
    (i64.reinterpret_f64 (f64.const 2.4703282292062328e-324))
    (i64.reinterpret_f64 (f64.const 2.2250738585072011e-308))
    (i64.reinterpret_f64 (f64.const 2.2250738585072014e-308))
    (i64.reinterpret_f64 (f64.const 0x1p-1074))
    (i64.reinterpret_f64 (f64.const 0x0.8p-1074))
    (i64.reinterpret_f64 (f64.const 0x1.8p-1075))
    (i64.reinterpret_f64 (f64.const 5e-1_0))
    (i64.reinterpret_f64 (f64.const 123456789012345678901234567890))
  )
)
(assert_return (invoke "f32")
  (i32.const 0x4b800000) ;; 16777217
  (i32.const 0x4b800002) ;; 16777219
  (i32.const 0x4b800001) ;; 16777217.0000000000000001
  (i32.const 0x3f800000) ;; 0x1.000001p0
  (i32.const 0x3f800002) ;; 0x1.000003p0
  (i32.const 0x3f800001) ;; 0x1.00000100000000000000001p0
  (i32.const 0x4b000002) ;; 8388609.5
  (i32.const 0x4b000000) ;; 8388608.5
  (i32.const 0x3f800001) ;; 1.00000017881393421514957253748434595763683319091796875001
  (i32.const 0x7f7fffff) ;; 3.4028235677973365e38
  (i32.const 0x00800000) ;; 1.1754942807573642918278299103576651e-38
  (i32.const 0x00000001) ;; 1.4e-45
  (i32.const 0x00000000) ;; 0.7e-45
  (i32.const 0x00000001) ;; 0.71e-45
  (i32.const 0x00000000) ;; 0x1p-150
  (i32.const 0x00000001) ;; 0x1.8p-150
  (i32.const 0x00000000) ;; 0x0.000001p-126
  (i32.const 0x3fa00000) ;; 1_2.5_0e-0_1
  (i32.const 0x40400000) ;; 0x1.8P+1
  (i32.const 0x40c00000) ;; 6.0E0
  (i32.const 0x2badbfff) ;; 123456789.123456789e-20
)
(assert_return (invoke "f64")
  (i64.const 0x4340000000000000) ;; 9007199254740993
  (i64.const 0x4340000000000002) ;; 9007199254740995
  (i64.const 0x4340000000000001) ;; 9007199254740993.00000000000000000001
  (i64.const 0x3fb999999999999a) ;; 0.1
  (i64.const 0x3ff0000000000000) ;; 0x1.00000000000008p0
  (i64.const 0x3ff0000000000002) ;; 0x1.00000000000018p0
  (i64.const 0x7fefffffffffffff) ;; 1.7976931348623157e308
  (i64.const 0x0000000000000001) ;; 4.9406564584124654e-324
  (i64.const 0x0000000000000000) ;; 2.4703282292062327e-324
  (i64.const 0x0000000000000001) ;; 2.4703282292062328e-324
  (i64.const 0x000fffffffffffff) ;; 2.2250738585072011e-308
  (i64.const 0x0010000000000000) ;; 2.2250738585072014e-308
  (i64.const 0x0000000000000001) ;; 0x1p-1074
  (i64.const 0x0000000000000000) ;; 0x0.8p-1074
  (i64.const 0x0000000000000001) ;; 0x1.8p-1075
  (i64.const 0x3e012e0be826d695) ;; 5e-1_0
  (i64.const 0x45f8ee90ff6c373e) ;; 123456789012345678901234567890
)

;; Strings are bytes.
(module
  (memory 1)
  (data (i32.const 0) "A\42\u{43}\t\n\r\'\"\\\00\fF" "é" "(;" ";;" ")")
  (func (export "at") (param i32) (result i32) (i32.load (local.get 0)))
)
(assert_return (invoke "at" (i32.const 0)) (i32.const 0x09434241))
(assert_return (invoke "at" (i32.const 4)) (i32.const 0x22270d0a))
(assert_return (invoke "at" (i32.const 8)) (i32.const 0xc3ff005c))
(assert_return (invoke "at" (i32.const 12)) (i32.const 0x3b3b28a9))
(assert_return (invoke "at" (i32.const 16)) (i32.const 0x0000293b))

(assert_malformed (module quote "(func (i32.const 0x100000000) drop)") "constant out of range")
(assert_malformed (module quote "(func (i32.const -0x80000001) drop)") "constant out of range")
(assert_malformed (module quote "(func (i64.const 18446744073709551616) drop)") "constant out of range")
(assert_malformed (module quote "(func (i64.const -9223372036854775809) drop)") "constant out of range")
(assert_malformed (module quote "(func (f32.const 0x1p128) drop)") "constant out of range")
(assert_malformed (module quote "(func (f32.const 0x1.ffffffp127) drop)") "constant out of range")
(assert_malformed (module quote "(func (f32.const 3.4028236e38) drop)") "constant out of range")
(assert_malformed (module quote "(func (f64.const 1e309) drop)") "constant out of range")
(assert_malformed (module quote "(func (f64.const 0x1p1024) drop)") "constant out of range")
(assert_malformed (module quote "(func (f32.const nan:0x0) drop)") "constant out of range")
(assert_malformed (module quote "(func (f32.const nan:0x800000) drop)") "constant out of range")
(assert_malformed (module quote "(func (f64.const nan:0x10000000000000) drop)") "constant out of range")
(assert_malformed (module quote "(func (i32.const 1__0) drop)") "unknown operator")
(assert_malformed (module quote "(func (i32.const _1) drop)") "unknown operator")
(assert_malformed (module quote "(func (i32.const 1_) drop)") "unknown operator")
(assert_malformed (module quote "(func (i32.const 0x) drop)") "unknown operator")
(assert_malformed (module quote "(func (i32.const 0b1) drop)") "unknown operator")
(assert_malformed (module quote "(func (i32.const 1x) drop)") "unknown operator")
(assert_malformed (module quote "(func (i32.const 1.5) drop)") "unexpected token")
(assert_malformed (module quote "(func (i32.const --1) drop)") "unknown operator")
(assert_malformed (module quote "(func (i32.const 1e1) drop)") "unexpected token")
(assert_malformed (module quote "(func (f32.const .5) drop)") "unknown operator")
(assert_malformed (module quote "(func (f32.const 1e) drop)") "unknown operator")
(assert_malformed (module quote "(func (f32.const 0x1p) drop)") "unknown operator")
(assert_malformed (module quote "(func (f32.const 0x1.8e+1) drop)") "unknown operator")
(assert_malformed (module quote "(func (f32.const 1.5.) drop)") "unknown operator")
(assert_malformed (module quote "(func (f32.const infinity) drop)") "unknown operator")
(assert_malformed (module quote "(func (f32.const nan:1) drop)") "unknown operator")
(assert_malformed (module quote "(func (f32.const nan:canonical) drop)") "unexpected token")
(assert_malformed (module quote "(func (f32.const \"1\") drop)") "unexpected token")
(assert_malformed (module quote "(memory 1) (data (i32.const 0) \"a)") "unclosed string")
(assert_malformed (module quote "(memory 1) (data (i32.const 0) \"\\x\")") "illegal escape")
(assert_malformed (module quote "(memory 1) (data (i32.const 0) \"\\u{d800}\")") "malformed UTF-8")
(assert_malformed (module quote "(memory 1) (data (i32.const 0) \"\\u{110000}\")") "malformed UTF-8")
(assert_malformed (module quote "(memory 1) (data (i32.const 0) \"\\u{}\")") "illegal escape")
(assert_malformed (module quote "(memory 1) (data (i32.const 0) \"a\01b\")") "illegal control character")
(assert_malformed (module quote "(memory 1) (data (i32.const 0) \"a\nb\")") "unclosed string")
(assert_malformed (module quote "(memory 1) (data (i32.const 0) a)") "unknown operator")
(assert_malformed (module quote "(memory 1) (data (i32.const 0) \"a\"\"b\")") "unknown operator")
