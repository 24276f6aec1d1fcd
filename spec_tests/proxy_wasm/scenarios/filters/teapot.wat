;; teapot.py once more, in WebAssembly: 418 to everybody who asks for coffee, and a mark for the others.
(module
  (import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $send_local_response (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))

  ;; 0: address and length of the path; then texts; the path itself from 1024 on
  (data (i32.const 16) "/coffee\00")
  (data (i32.const 24) ":path")
  (data (i32.const 32) "x-tea")
  (data (i32.const 40) "1")
  (data (i32.const 48) "teapot")
  (data (i32.const 56) "short and stout")

  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (i32.const 1024))

  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (i64.store (i32.const 1024) (i64.const 0))
    (drop (call $get_header (i32.const 0) (i32.const 24) (i32.const 5) (i32.const 0) (i32.const 4)))
    ;; Seven characters that are "/coffee": eight bytes are compared, the last of them 0.
    (if (i32.and
          (i32.eq (i32.load (i32.const 4)) (i32.const 7))
          (i64.eq (i64.load (i32.const 1024)) (i64.load (i32.const 16))))
      (then
        (drop (call $send_local_response (i32.const 418) (i32.const 48) (i32.const 6) (i32.const 56) (i32.const 15)
          (i32.const 0) (i32.const 0) (i32.const -1)))
        (return (i32.const 3))))
    (drop (call $add_header (i32.const 0) (i32.const 32) (i32.const 5) (i32.const 40) (i32.const 1)))
    (i32.const 0)))
