//! What a guest asks of the world outside: native code, and other servers.

/// As [`super::CASES`].
pub const CASES: &[(&str, &str, &[&str])] = &[
    (
        "verify_signature: a good signature",
        "(call $status (call $call_foreign_function {verify_signature} {=0a06736861323536125b3059301306072a8648ce3d020106082a8648ce3d0301070342000419055c5be4b8fa592c5e2ba2429f4305ea03a5bc48fa23f85d32769c6177d824dc7be17acf62cc7cc594386caaa8451eff7aa99191be9bd3d3445beeb97c6aeb1a47304502205cc75effcd1ddb112156a0ae18d6aecfe97a2f0ac41cdec39118455465ee27b30221009518a925b1552033627cfa185b9f1a58d399ec7aed2328045c382d78603f633c22016d} @R)) (call $show)",
        &["0", "\u{8}\u{1}"],
    ),
    (
        "verify_signature: a hash in capitals",
        "(call $status (call $call_foreign_function {verify_signature} {=0a06534841323536125b3059301306072a8648ce3d020106082a8648ce3d0301070342000419055c5be4b8fa592c5e2ba2429f4305ea03a5bc48fa23f85d32769c6177d824dc7be17acf62cc7cc594386caaa8451eff7aa99191be9bd3d3445beeb97c6aeb1a47304502205cc75effcd1ddb112156a0ae18d6aecfe97a2f0ac41cdec39118455465ee27b30221009518a925b1552033627cfa185b9f1a58d399ec7aed2328045c382d78603f633c22016d} @R)) (call $show)",
        &["0", "\u{8}\u{1}"],
    ),
    (
        "verify_signature: of another message",
        "(call $status (call $call_foreign_function {verify_signature} {=0a06736861323536125b3059301306072a8648ce3d020106082a8648ce3d0301070342000419055c5be4b8fa592c5e2ba2429f4305ea03a5bc48fa23f85d32769c6177d824dc7be17acf62cc7cc594386caaa8451eff7aa99191be9bd3d3445beeb97c6aeb1a47304502205cc75effcd1ddb112156a0ae18d6aecfe97a2f0ac41cdec39118455465ee27b30221009518a925b1552033627cfa185b9f1a58d399ec7aed2328045c382d78603f633c22016e} @R)) (call $show)",
        &["0", "\u{12}&Failed to verify digest. Error code: 0"],
    ),
    (
        "verify_signature: no signature",
        "(call $status (call $call_foreign_function {verify_signature} {=0a06736861323536125b3059301306072a8648ce3d020106082a8648ce3d0301070342000419055c5be4b8fa592c5e2ba2429f4305ea03a5bc48fa23f85d32769c6177d824dc7be17acf62cc7cc594386caaa8451eff7aa99191be9bd3d3445beeb97c6aeb22016d} @R)) (call $show)",
        &["0", "\u{12}&Failed to verify digest. Error code: 0"],
    ),
    (
        "verify_signature: an unknown hash",
        "(call $status (call $call_foreign_function {verify_signature} {=0a036d6435125b3059301306072a8648ce3d020106082a8648ce3d0301070342000419055c5be4b8fa592c5e2ba2429f4305ea03a5bc48fa23f85d32769c6177d824dc7be17acf62cc7cc594386caaa8451eff7aa99191be9bd3d3445beeb97c6aeb1a47304502205cc75effcd1ddb112156a0ae18d6aecfe97a2f0ac41cdec39118455465ee27b30221009518a925b1552033627cfa185b9f1a58d399ec7aed2328045c382d78603f633c22016d} @R)) (call $show)",
        &["0", "\u{12}\u{15}md5 is not supported."],
    ),
    (
        "verify_signature: a hash that the curve does not go with",
        "(call $status (call $call_foreign_function {verify_signature} {=0a06736861323234125b3059301306072a8648ce3d020106082a8648ce3d0301070342000419055c5be4b8fa592c5e2ba2429f4305ea03a5bc48fa23f85d32769c6177d824dc7be17acf62cc7cc594386caaa8451eff7aa99191be9bd3d3445beeb97c6aeb1a47304502205cc75effcd1ddb112156a0ae18d6aecfe97a2f0ac41cdec39118455465ee27b30221009518a925b1552033627cfa185b9f1a58d399ec7aed2328045c382d78603f633c22016d} @R)) (call $show)",
        &["0", "\u{12}#Failed to initialize digest verify."],
    ),
    (
        "verify_signature: no key",
        "(call $status (call $call_foreign_function {verify_signature} {=0a067368613235361a47304502205cc75effcd1ddb112156a0ae18d6aecfe97a2f0ac41cdec39118455465ee27b30221009518a925b1552033627cfa185b9f1a58d399ec7aed2328045c382d78603f633c22016d} @R))",
        &["2"],
    ),
    (
        "verify_signature: half a key",
        "(call $status (call $call_foreign_function {verify_signature} {=0a0673686132353612283059301306072a8648ce3d020106082a8648ce3d0301070342000419055c5be4b8fa592c5e2ba2421a47304502205cc75effcd1ddb112156a0ae18d6aecfe97a2f0ac41cdec39118455465ee27b30221009518a925b1552033627cfa185b9f1a58d399ec7aed2328045c382d78603f633c22016d} @R)) (call $show)",
        &["0", "\u{12}#Failed to initialize digest verify."],
    ),
    (
        "verify_signature: no message",
        "(call $status (call $call_foreign_function {verify_signature} {=ff} @R))",
        &["2"],
    ),
    // HTTP calls.
    (
        "http call",
        "(call $status (call $http_call {idp} {[:method=GET|:path=/keys|:authority=idp]} {} {} (i32.const 0) @2)) (call $status (i32.load @2)) (call $status (call $http_call {idp} {[:method=GET|:path=/keys|host=idp]} {} {} (i32.const 0) @2)) (call $status (i32.load @2))",
        &["0", "4", "0", "8"],
    ),
    (
        "http call: a cluster that there is not, and no token",
        "(i32.store @2 (i32.const 7)) (call $status (call $http_call {idp2} {[:method=GET|:path=/keys|:authority=idp]} {} {} (i32.const 0) @2)) (call $status (i32.load @2))",
        &["2", "0"],
    ),
    (
        "http call: without :method",
        "(call $status (call $http_call {idp} {[:path=/keys|:authority=idp]} {} {} (i32.const 0) @2))",
        &["2"],
    ),
    (
        "http call: without :path",
        "(call $status (call $http_call {idp} {[:method=GET|:authority=idp]} {} {} (i32.const 0) @2))",
        &["2"],
    ),
    (
        "http call: without :authority",
        "(call $status (call $http_call {idp} {[:method=GET|:path=/keys]} {} {} (i32.const 0) @2))",
        &["2"],
    ),
    (
        "http call: headers that do not decode are none",
        "(call $status (call $http_call {idp} {=0100} {} {} (i32.const 0) @2))",
        &["2"],
    ),
    (
        "http call: a timeout past what a signed number holds",
        "(call $status (call $http_call {idp} {[:method=GET|:path=/keys|:authority=idp]} {} {} (i32.const -1) @2))",
        &["2"],
    ),
    (
        "http call: a line break in a header",
        "(call $status (call $http_call {idp} {[:method=GET|:path=/keys|:authority=idp|x=a\nb]} {} {} (i32.const 0) @2)) (call $status (call $http_call {idp} {[:method=GET|:path=/keys|:authority=idp]} {} {[x=a\r]} (i32.const 0) @2))",
        &["2", "2"],
    ),
    (
        "http call: bad pointers",
        "(call $status (call $http_call (i32.const -1) (i32.const 3) {[:path=/]} {} {} (i32.const 0) @2)) (call $status (call $http_call {idp} (i32.const -1) (i32.const 3) {} {} (i32.const 0) @2)) (call $status (call $http_call {idp} {[:method=GET|:path=/keys|:authority=idp]} {} {} (i32.const 0) (i32.const -1)))",
        &["6", "6", "6"],
    ),
    (
        "the answer of a call, where there is none",
        "(call $status (call $get_buffer_bytes (i32.const 4) (i32.const 0) (i32.const 99) @R)) (i32.store (i32.const 20) (i32.const 9)) (call $status (call $get_header_map_pairs (i32.const 6) @R)) (call $status (i32.load (i32.const 20))) (call $status (call $get_header_map_size (i32.const 6) (i32.const 16)))",
        &["1", "0", "0", "2"],
    ),
];
