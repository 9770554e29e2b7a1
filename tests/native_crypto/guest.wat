;; Asks the host's `verify_signature` about each of the arguments in its configuration, and answers every
;; request with what the host said: a letter each, `1` for a good signature, `0` for another one, `N` where
;; there is no such function, `B` for a bad argument, `?` for anything else.
(module
  (import "env" "proxy_get_buffer_bytes" (func $get_buffer (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_call_foreign_function" (func $call (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $respond (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 64)
  (data (i32.const 16) "verify_signature")
  ;; Results are named at 8 and 12. Letters from 4096 on; what the host gives, from 65536 on, is never freed.
  (global $letters (mut i32) (i32.const 4096))
  (global $free (mut i32) (i32.const 65536))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.add (global.get $free) (local.get $size)))
    (local.get $at))
  (func $letter (param $arguments i32) (param $size i32) (result i32)
    (local $status i32) (local $at i32)
    (i32.store (i32.const 8) (i32.const 0))
    (i32.store (i32.const 12) (i32.const 0))
    (local.set $status
      (call $call (i32.const 16) (i32.const 16) (local.get $arguments) (local.get $size) (i32.const 8) (i32.const 12)))
    (if (i32.eq (local.get $status) (i32.const 1)) (then (return (i32.const 0x4e))))
    (if (i32.eq (local.get $status) (i32.const 2)) (then (return (i32.const 0x42))))
    (if (i32.ne (local.get $status) (i32.const 0)) (then (return (i32.const 0x3f))))
    (local.set $at (i32.load (i32.const 8)))
    ;; The field 1, which is true, and nothing else; or the field 2 alone.
    (if (i32.and
          (i32.eq (i32.load (i32.const 12)) (i32.const 2))
          (i32.eq (i32.load16_u (local.get $at)) (i32.const 0x0108)))
      (then (return (i32.const 0x31))))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x12)) (then (return (i32.const 0x30))))
    (i32.const 0x3f))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func $digit (param $at i32) (result i32)
    (local $letter i32)
    (local.set $letter (i32.load8_u (local.get $at)))
    (i32.sub (local.get $letter)
      (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $letter) (i32.const 97)))))
  ;; Turns hexadecimal digits into bytes where they stand, and says where these end.
  (func $decode (param $from i32) (param $size i32) (result i32)
    (local $end i32) (local $to i32)
    (local.set $end (i32.add (local.get $from) (local.get $size)))
    (local.set $to (local.get $from))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
        (i32.store8 (local.get $to)
          (i32.or
            (i32.shl (call $digit (local.get $from)) (i32.const 4))
            (call $digit (i32.add (local.get $from) (i32.const 1)))))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (local.set $from (i32.add (local.get $from) (i32.const 2)))
        (br $next)))
    (local.get $to))
  ;; In hexadecimal the arguments stand one behind the other, the length of each before it: four bytes, the
  ;; lowest first.
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (local $at i32) (local $end i32) (local $size i32)
    (drop (call $get_buffer (i32.const 7) (i32.const 0) (i32.const 0x7fffffff) (i32.const 8) (i32.const 12)))
    (local.set $at (i32.load (i32.const 8)))
    (local.set $end (call $decode (local.get $at) (i32.load (i32.const 12))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $size (i32.load (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (i32.store8 (global.get $letters) (call $letter (local.get $at) (local.get $size)))
        (global.set $letters (i32.add (global.get $letters) (i32.const 1)))
        (local.set $at (i32.add (local.get $at) (local.get $size)))
        (br $next)))
    (i32.const 1))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $respond (i32.const 200) (i32.const 0) (i32.const 0)
      (i32.const 4096) (i32.sub (global.get $letters) (i32.const 4096))
      (i32.const 0) (i32.const 0) (i32.const -1)))
    (i32.const 1))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_log") (param i32))
  (func (export "proxy_on_delete") (param i32)))
