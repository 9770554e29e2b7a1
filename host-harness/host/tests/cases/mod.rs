//! Every hostcall and WASI function with what it answers, as data.

pub mod outward;

/// A call made while request headers are shown, and what it logs: its status, then what it gave.
pub const CASES: &[(&str, &str, &[&str])] = &[
    (
        "log",
        "(call $status (call $log (i32.const 3) {hello}))",
        &["hello", "0"],
    ),
    (
        "log: a level past critical",
        "(call $status (call $log (i32.const 6) {x}))",
        &["2"],
    ),
    (
        "log: a bad pointer",
        "(call $status (call $log (i32.const 2) (i32.const -1) (i32.const 8)))",
        &["6"],
    ),
    (
        "log: a message that reaches past the end",
        "(call $status (call $log (i32.const 2) (i32.const 0x3ffff) (i32.const 2)))",
        &["6"],
    ),
    (
        "log level",
        "(call $status (call $get_log_level (i32.const 16))) (call $status (i32.load (i32.const 16)))",
        &["0", "2"],
    ),
    (
        "log level: a bad pointer",
        "(call $status (call $get_log_level (i32.const 0x3fffe)))",
        &["6"],
    ),
    (
        "time",
        "(call $status (call $get_current_time_nanoseconds (i32.const 16))) (call $show_int)",
        &["0", "1700000000000000001"],
    ),
    (
        "time: a bad pointer",
        "(call $status (call $get_current_time_nanoseconds (i32.const 0x3fff9)))",
        &["6"],
    ),
    (
        "done, when nothing waits for it",
        "(call $status (call $done))",
        &["1"],
    ),
    (
        "status of no callout",
        "(call $status (call $get_status @2 @R)) (call $status (i32.load @2))",
        &["0", "0"],
    ),
    (
        "effective context: no such one",
        "(call $status (call $set_effective_context (i32.const 99)))",
        &["2"],
    ),
    (
        "effective context: the root",
        "(call $status (call $set_effective_context (i32.const 1))) (call $status (call $get_header_map_value (i32.const 0) {x-api-key} @R))",
        &["0", "2"],
    ),
    // Header maps.
    (
        "value: the first one only",
        "(call $status (call $get_header_map_value (i32.const 0) {x-api-key} @R)) (call $show)",
        &["0", "one"],
    ),
    (
        "value: folded",
        "(call $status (call $get_header_map_value (i32.const 0) {authorization} @R)) (call $show)",
        &["0", "Bearer a,Bearer b"],
    ),
    (
        "value: in any case",
        "(call $status (call $get_header_map_value (i32.const 0) {X-Api-Key} @R)) (call $show)",
        &["0", "one"],
    ),
    (
        "value: absent",
        "(call $status (call $get_header_map_value (i32.const 0) {x-none} @R))",
        &["1"],
    ),
    (
        "value: a map of another phase",
        "(call $status (call $get_header_map_value (i32.const 2) {x-none} @R))",
        &["2"],
    ),
    (
        "value: a map of a callout",
        "(call $status (call $get_header_map_value (i32.const 6) {x-none} @R))",
        &["2"],
    ),
    (
        "value: no such map",
        "(call $status (call $get_header_map_value (i32.const 8) {x-none} @R))",
        &["2"],
    ),
    (
        "value: a bad name",
        "(call $status (call $get_header_map_value (i32.const 0) (i32.const -4) (i32.const 4) @R))",
        &["6"],
    ),
    (
        "value: a bad result pointer",
        "(call $status (call $get_header_map_value (i32.const 0) {x-api-key} (i32.const -4) (i32.const 16)))",
        &["6"],
    ),
    (
        "pairs: count",
        "(call $status (call $get_header_map_pairs (i32.const 0) @R)) (call $status (i32.load (i32.load (i32.const 16))))",
        &["0", "7"],
    ),
    (
        "pairs: a map of another phase is empty, and Ok",
        "(i32.store (i32.const 20) (i32.const 9)) (call $status (call $get_header_map_pairs (i32.const 2) @R)) (call $status (i32.load (i32.const 20)))",
        &["0", "0"],
    ),
    (
        "pairs: no such map",
        "(call $status (call $get_header_map_pairs (i32.const 9) @R))",
        &["2"],
    ),
    (
        "size",
        "(call $status (call $get_header_map_size (i32.const 0) (i32.const 16))) (i32.store (i32.const 20) (i32.const 0)) (call $show_int)",
        &["0", "130"],
    ),
    (
        "size: a map of another phase",
        "(call $status (call $get_header_map_size (i32.const 1) (i32.const 16)))",
        &["2"],
    ),
    (
        "add",
        "(call $status (call $add_header_map_value (i32.const 0) {x-new} {v})) (call $status (call $get_header_map_value (i32.const 0) {x-new} @R)) (call $show)",
        &["0", "0", "v"],
    ),
    (
        "add: folds what Envoy folds",
        "(drop (call $add_header_map_value (i32.const 0) {authorization} {c})) (call $status (call $get_header_map_value (i32.const 0) {authorization} @R)) (call $show)",
        &["0", "Bearer a,Bearer b,c"],
    ),
    (
        "replace",
        "(call $status (call $replace_header_map_value (i32.const 0) {x-api-key} {three})) (drop (call $get_header_map_value (i32.const 0) {x-api-key} @R)) (call $show)",
        &["0", "three"],
    ),
    (
        "remove",
        "(call $status (call $remove_header_map_value (i32.const 0) {x-api-key})) (call $status (call $get_header_map_value (i32.const 0) {x-api-key} @R))",
        &["0", "1"],
    ),
    (
        "remove: a bad name",
        "(call $status (call $remove_header_map_value (i32.const 0) (i32.const 0x40000) (i32.const 1)))",
        &["6"],
    ),
    (
        "set pairs: one pair",
        "(call $status (call $set_header_map_pairs (i32.const 0) {=01000000010000000100000061006200})) (call $status (call $get_header_map_pairs (i32.const 0) @R)) (call $status (i32.load (i32.load (i32.const 16))))",
        &["0", "0", "1"],
    ),
    (
        "set pairs: what does not decode wipes the map",
        "(call $status (call $set_header_map_pairs (i32.const 0) {=0100000001000000010000006100})) (call $status (call $get_header_map_value (i32.const 0) {x-api-key} @R))",
        &["0", "1"],
    ),
    (
        "set pairs: past 1 MiB wipes the map",
        "(drop (memory.grow (i32.const 32))) (call $status (call $set_header_map_pairs (i32.const 0) (i32.const 0) (i32.const 0x100001))) (call $status (call $get_header_map_value (i32.const 0) {x-api-key} @R))",
        &["0", "1"],
    ),
    (
        "set pairs: past 1,024 entries wipes the map",
        "(i32.store (i32.const 0x8000) (i32.const 1025)) (call $status (call $set_header_map_pairs (i32.const 0) (i32.const 0x8000) (i32.const 10254))) (call $status (call $get_header_map_value (i32.const 0) {x-api-key} @R))",
        &["0", "1"],
    ),
    (
        "trailers before they came",
        "(call $status (call $add_header_map_value (i32.const 1) {x} {y}))",
        &["2"],
    ),
    // Buffers.
    (
        "plugin configuration outside of configure",
        "(call $status (call $get_buffer_bytes (i32.const 7) (i32.const 0) (i32.const 99) @R))",
        &["1"],
    ),
    (
        "vm configuration",
        "(call $status (call $get_buffer_bytes (i32.const 6) (i32.const 3) (i32.const 2) @R)) (call $show)",
        &["0", "co"],
    ),
    (
        "a body before its phase is empty",
        "(call $status (call $get_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 99) @R)) (call $status (call $get_buffer_status (i32.const 0) (i32.const 16) (i32.const 20))) (call $status (i32.load (i32.const 16)))",
        &["0", "0", "0"],
    ),
    (
        "a body before its phase cannot be written",
        "(call $status (call $set_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 0) {x}))",
        &["2"],
    ),
    (
        "a configuration cannot be written",
        "(call $status (call $set_buffer_bytes (i32.const 6) (i32.const 0) (i32.const 0) {x}))",
        &["2"],
    ),
    (
        "no such buffer",
        "(call $status (call $get_buffer_bytes (i32.const 9) (i32.const 0) (i32.const 1) @R))",
        &["2"],
    ),
    (
        "a network buffer",
        "(call $status (call $get_buffer_bytes (i32.const 2) (i32.const 0) (i32.const 1) @R))",
        &["1"],
    ),
    // Properties.
    (
        "property: an address",
        "(call $status (call $get_property {source␀address} @R)) (call $show)",
        &["0", "127.0.0.1:40000"],
    ),
    (
        "property: a port",
        "(drop (call $get_property {source␀port} (i32.const 24) (i32.const 28))) (i64.store (i32.const 16) (i64.load (i32.load (i32.const 24)))) (call $show_int)",
        &["40000"],
    ),
    (
        "property: from the headers",
        "(call $status (call $get_property {request␀nothing} @R)) (call $status (call $get_property {request␀query} @R)) (call $show)",
        &["1", "0", "debug=1"],
    ),
    (
        "property: the path without its query",
        "(call $status (call $get_property {request␀url_path} @R)) (call $show)",
        &["0", "/items/1"],
    ),
    (
        "property: one header, all its values",
        "(call $status (call $get_property {request␀headers␀x-api-key} @R)) (call $show)",
        &["0", "one,two"],
    ),
    (
        "property: mtls of a plain connection",
        "(call $status (call $get_property {connection␀mtls} @R)) (call $status (i32.load8_u (i32.load (i32.const 16)))) (call $status (i32.load (i32.const 20)))",
        &["0", "0", "1"],
    ),
    (
        "property: the plugin",
        "(call $status (call $get_property {plugin_name} @R)) (call $show) (call $status (call $get_property {plugin_vm_id} @R)) (call $show)",
        &["0", "gate", "0", "vm"],
    ),
    (
        "property: absent",
        "(call $status (call $get_property {nope} @R))",
        &["1"],
    ),
    (
        "property: a wrapper",
        "(call $status (call $get_property {source} @R))",
        &["3"],
    ),
    (
        "property: a bad path",
        "(call $status (call $get_property (i32.const -1) (i32.const 1) @R))",
        &["6"],
    ),
    (
        "set property: read back",
        "(call $status (call $set_property {mine} {value})) (call $status (call $get_property {mine} @R)) (call $show)",
        &["0", "0", "value"],
    ),
    (
        "set property: from a root context",
        "(drop (call $set_effective_context (i32.const 1))) (call $status (call $set_property {mine} {value}))",
        &["1"],
    ),
    // Shared data.
    (
        "shared data: absent",
        "(call $status (call $get_shared_data {k} @R @2))",
        &["1"],
    ),
    (
        "shared data: read back",
        "(call $status (call $set_shared_data {k} {v1} (i32.const 0))) (call $status (call $get_shared_data {k} @R @2)) (call $show) (call $status (call $set_shared_data {k} {v2} (i32.load @2))) (call $status (call $set_shared_data {k} {v3} (i32.load @2)))",
        &["0", "0", "v1", "0", "8"],
    ),
    (
        "shared data: a cas is ignored on an absent key, so the largest one creates",
        "(call $status (call $set_shared_data {k} {v1} (i32.const -1))) (call $status (call $set_shared_data {k} {v2} (i32.const -1)))",
        &["0", "8"],
    ),
    (
        "shared data: bad pointers",
        "(call $status (call $set_shared_data (i32.const -1) (i32.const 1) {v} (i32.const 0))) (call $status (call $set_shared_data {k} (i32.const 1) (i32.const -1) (i32.const 0)))",
        &["6", "6"],
    ),
    // Metrics.
    (
        "counter",
        "(call $status (call $define_metric (i32.const 0) {c} @2)) (call $status (call $increment_metric (i32.load @2) (i64.const 5))) (call $status (call $record_metric (i32.load @2) (i64.const 2))) (call $status (call $get_metric (i32.load @2) (i32.const 16))) (call $show_int)",
        &["0", "0", "0", "0", "7"],
    ),
    (
        "counter: refuses offsets of 0 or less",
        "(drop (call $define_metric (i32.const 0) {c} @2)) (call $status (call $increment_metric (i32.load @2) (i64.const 0))) (call $status (call $increment_metric (i32.load @2) (i64.const -1)))",
        &["2", "2"],
    ),
    (
        "gauge",
        "(drop (call $define_metric (i32.const 1) {g} @2)) (call $status (call $record_metric (i32.load @2) (i64.const 9))) (call $status (call $increment_metric (i32.load @2) (i64.const -4))) (drop (call $get_metric (i32.load @2) (i32.const 16))) (call $show_int)",
        &["0", "0", "5"],
    ),
    (
        "histogram: only records",
        "(drop (call $define_metric (i32.const 2) {h} @2)) (call $status (call $record_metric (i32.load @2) (i64.const 9))) (call $status (call $increment_metric (i32.load @2) (i64.const 1))) (call $status (call $get_metric (i32.load @2) (i32.const 16)))",
        &["0", "2", "2"],
    ),
    (
        "metric: no such kind",
        "(call $status (call $define_metric (i32.const 3) {h} @2))",
        &["2"],
    ),
    (
        "metric: no such id",
        "(call $status (call $increment_metric (i32.const 40) (i64.const 1))) (call $status (call $record_metric (i32.const 40) (i64.const 1))) (call $status (call $get_metric (i32.const 40) (i32.const 16)))",
        &["1", "1", "1"],
    ),
    // Streams and foreign functions.
    (
        "stream types",
        "(call $status (call $continue_stream (i32.const 2))) (call $status (call $continue_stream (i32.const 3))) (call $status (call $continue_stream (i32.const 4))) (call $status (call $close_stream (i32.const 4)))",
        &["0", "12", "2", "2"],
    ),
    (
        "continuing makes the headers unreadable",
        "(call $status (call $continue_stream (i32.const 0))) (call $status (call $get_header_map_value (i32.const 0) {x-api-key} @R))",
        &["0", "2"],
    ),
    (
        "local reply: bad pointers",
        "(call $status (call $send_local_response (i32.const 403) (i32.const -1) (i32.const 1) {} {} (i32.const -1)))",
        &["6"],
    ),
    (
        "foreign function: unknown",
        "(call $status (call $call_foreign_function {nope} {} @R))",
        &["1"],
    ),
    (
        "foreign function: a bad name",
        "(call $status (call $call_foreign_function (i32.const -1) (i32.const 2) {} @R))",
        &["6"],
    ),
    // WASI.
    (
        "fd_write: stdout",
        "(i32.store (i32.const 32) (i32.const 0x1000)) (i32.store (i32.const 36) (i32.const 3)) (call $status (call $fd_write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 16))) (call $status (i32.load (i32.const 16))) (drop (call $log (i32.const 0) {out}))",
        &["out", "0", "3"],
    ),
    (
        "fd_write: no such descriptor",
        "(call $status (call $fd_write (i32.const 3) (i32.const 32) (i32.const 1) (i32.const 16)))",
        &["8"],
    ),
    (
        "fd_write: a bad vector",
        "(call $status (call $fd_write (i32.const 1) (i32.const -4) (i32.const 1) (i32.const 16)))",
        &["21"],
    ),
    (
        "fd_write: too many vectors",
        "(call $status (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1025) (i32.const 16)))",
        &["28"],
    ),
    (
        "environ",
        "(call $status (call $environ_sizes_get (i32.const 24) (i32.const 20))) (call $status (i32.load (i32.const 24))) (call $status (call $environ_get (i32.const 16) (i32.const 512))) (i32.store (i32.const 20) (i32.const 5)) (call $show)",
        &["0", "1", "0", "KEY=s"],
    ),
    (
        "environ: a bad pointer",
        "(call $status (call $environ_get (i32.const 16) (i32.const -1)))",
        &["21"],
    ),
    (
        "args",
        "(i32.store (i32.const 16) (i32.const 7)) (call $status (call $args_sizes_get (i32.const 16) (i32.const 20))) (call $status (i32.load (i32.const 16))) (call $status (call $args_get (i32.const 16) (i32.const 16)))",
        &["0", "0", "0"],
    ),
    (
        "clocks",
        "(call $status (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 16))) (call $show_int) (call $status (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 16))) (call $show_int) (call $status (call $clock_time_get (i32.const 2) (i64.const 0) (i32.const 16)))",
        &["0", "1700000000000000001", "0", "42", "58"],
    ),
    (
        "random",
        "(call $status (call $random_get (i32.const 0x10000) (i32.const 0x10000))) (call $status (call $random_get (i32.const 0) (i32.const 0x10001))) (call $status (call $random_get (i32.const 0x3ffff) (i32.const 2)))",
        &["0", "28", "21"],
    ),
    (
        "no files",
        "(call $status (call $fd_read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))) (call $status (call $path_open (i32.const 3) (i32.const 0) {f} (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0))) (call $status (call $fd_prestat_get (i32.const 3) (i32.const 16))) (call $status (call $fd_prestat_dir_name (i32.const 3) (i32.const 16) (i32.const 1)))",
        &["52", "44", "8", "52"],
    ),
    (
        "descriptors",
        "(call $status (call $fd_fdstat_get (i32.const 1) (i32.const 32))) (call $status (i32.load (i32.const 40))) (call $status (call $fd_fdstat_get (i32.const 3) (i32.const 32))) (call $status (call $fd_fdstat_set_flags (i32.const 1) (i32.const 0))) (call $status (call $fd_seek (i32.const 1) (i64.const 0) (i32.const 0) (i32.const 16))) (call $status (call $fd_close (i32.const 1)))",
        &["0", "64", "8", "52", "0", "0"],
    ),
    (
        "waiting",
        "(call $status (call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))) (call $status (call $sched_yield))",
        &["52", "0"],
    ),
];
