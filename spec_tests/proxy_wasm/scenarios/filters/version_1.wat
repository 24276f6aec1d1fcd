;; A filter of the first ABI, 0.1.0, by hand: it marks requests, waits for a call, and goes on by proxy_continue_request.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_configuration" (func $get_configuration (param i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_http_call" (func $http_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $set_effective_context (param i32) (result i32)))
  (import "env" "proxy_continue_request" (func $continue_request (result i32)))

  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_1_0"))

  ;; 0: address and length of what the host gave, 8: the token; then texts; the host's data from 1024 on
  (data (i32.const 16) "x-mark")
  (data (i32.const 32) "first")
  (data (i32.const 48) "x-none")
  (data (i32.const 64) "auth")
  (data (i32.const 80)
    "\03\00\00\00"
    "\07\00\00\00\03\00\00\00" "\05\00\00\00\01\00\00\00" "\0a\00\00\00\01\00\00\00"
    ":method\00GET\00" ":path\00/\00" ":authority\00a\00")
  (global $free (mut i32) (i32.const 1024))
  (global $stream (mut i32) (i32.const 0))

  (func (export "malloc") (param $size i32) (result i32)
    (global.get $free)
    (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get $size)) (i32.const 7)) (i32.const -8))))

  ;; Logs what the host has given last, at INFO.
  (func $log_given
    (drop (call $log (i32.const 2) (i32.load (i32.const 0)) (i32.load (i32.const 4)))))

  (func (export "proxy_on_configure") (param $root i32) (param $size i32) (result i32)
    (drop (call $get_configuration (i32.const 0) (i32.const 4)))
    (call $log_given)
    (i32.const 1))

  ;; No end_of_stream in this version.
  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (result i32)
    (global.set $stream (local.get $context))
    ;; An absent header is OK and empty in this version: 0 it is, and the upstream sees it as x-mark: first.
    (if (i32.eqz (call $get_header (i32.const 0) (i32.const 48) (i32.const 6) (i32.const 0) (i32.const 4)))
      (then (drop (call $add_header (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 32) (i32.const 5)))))
    (drop (call $http_call (i32.const 64) (i32.const 4) (i32.const 80) (i32.const 61)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 8)))
    (i32.const 1))

  (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
    (drop (call $set_effective_context (global.get $stream)))
    (drop (call $continue_request))))
