//! Headers as they come from the wire, and local replies as they go on it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use portcullis_host::{Headers, LocalReply, Response, WireError};

fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().copied().collect()
}

const PSEUDO: &[(&str, &str)] = &[(":path", "/"), (":method", "GET"), (":scheme", "http")];

fn from_wire(lines: &[(&str, &str)]) -> Result<Vec<(String, String)>, WireError> {
    let headers = Headers::from_wire(PSEUDO, lines.iter().copied())?;
    Ok(headers
        .iter()
        .skip(PSEUDO.len())
        .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
        .collect())
}

#[test]
fn lines_fold_as_envoy_folds_them() {
    type Pairs = &'static [(&'static str, &'static str)];
    let cases: &[(&str, Pairs, Pairs)] = &[
        (
            "two authorization lines arrive as one pair",
            &[("Authorization", "Bearer a"), ("authorization", "Bearer b")],
            &[("authorization", "Bearer a,Bearer b")],
        ),
        (
            "two Host lines arrive as one authority",
            &[("Host", "a"), ("HOST", "b")],
            &[(":authority", "a,b")],
        ),
        (
            "keys and cookies stay apart",
            &[
                ("X-Api-Key", "1"),
                ("Cookie", "a=1"),
                ("x-api-key", "2"),
                ("cookie", "b=2"),
            ],
            &[
                ("x-api-key", "1"),
                ("cookie", "a=1"),
                ("x-api-key", "2"),
                ("cookie", "b=2"),
            ],
        ),
        (
            "an underscore is another header",
            &[("x_user", "1"), ("x-user", "2")],
            &[("x_user", "1"), ("x-user", "2")],
        ),
        (
            "what Connection names is gone, and so is Connection",
            &[
                ("Connection", "X-Secret, close"),
                ("x-secret", "1"),
                ("x-other", "2"),
                ("Keep-Alive", "5"),
            ],
            &[("x-other", "2")],
        ),
        (
            "te keeps trailers only",
            &[("Connection", "te"), ("TE", "gzip, trailers")],
            &[("te", "trailers")],
        ),
        (
            "an upgrade keeps what makes it one",
            &[("Connection", "Upgrade"), ("Upgrade", "websocket")],
            &[("connection", "Upgrade"), ("upgrade", "websocket")],
        ),
        (
            "an upgrade keeps what Connection names as well",
            &[
                ("Connection", "Upgrade, X-Secret"),
                ("Upgrade", "websocket"),
                ("x-secret", "1"),
            ],
            &[
                ("connection", "Upgrade, X-Secret"),
                ("upgrade", "websocket"),
                ("x-secret", "1"),
            ],
        ),
        (
            "white space around values",
            &[("a", " \t b \t")],
            &[("a", "b")],
        ),
    ];
    for (name, lines, expected) in cases {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        // The authority is a pseudo header, and stands with them.
        let found = from_wire(lines).expect(name);
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn connection_cannot_remove_what_envoy_protects() {
    for name in [
        "x-forwarded-for",
        "X-Forwarded-Host",
        "x-forwarded-proto",
        ":path",
    ] {
        let error = from_wire(&[("connection", name)]).expect_err("a refusal");
        assert_eq!(error, WireError::Nominated(name.to_ascii_lowercase()));
    }
    assert_eq!(
        from_wire(&[("connection", "a,b,c,d,e,f,g,h,i,j")]),
        Err(WireError::TooManyNominated(10))
    );
}

#[test]
fn an_authority_of_its_own_wins_over_host() {
    let headers = Headers::from_wire(&[(":authority", "a")], [("host", "b")]).expect("headers");
    assert_eq!(headers.values(":authority").collect::<Vec<_>>(), [b"a"]);
    assert_eq!(headers.len(), 1);
}

fn reply(status: u32, pairs: &[(&str, &str)], body: &str, grpc_status: Option<u32>) -> LocalReply {
    LocalReply {
        status,
        details: String::new(),
        headers: headers(pairs),
        body: body.as_bytes().to_vec(),
        grpc_status,
    }
}

#[test]
fn local_replies_are_rendered_as_envoy_renders_them() {
    let get = headers(&[(":method", "GET"), (":path", "/")]);
    let head = headers(&[(":method", "HEAD"), (":path", "/")]);
    let grpc = |content_type| {
        headers(&[
            (":method", "POST"),
            (":path", "/s/m"),
            ("content-type", content_type),
        ])
    };
    type Case<'a> = (
        &'a str,
        &'a Headers,
        LocalReply,
        &'a [(&'a str, &'a str)],
        &'a str,
    );
    let plain = grpc("application/grpc");
    let proto = grpc("application/grpc+proto");
    let web = grpc("application/grpc-web");
    let cases: &[Case<'_>] = &[
        (
            "a body gets a length and a type",
            &get,
            reply(403, &[], "no", None),
            &[
                (":status", "403"),
                ("content-length", "2"),
                ("content-type", "text/plain"),
            ],
            "no",
        ),
        (
            "a type of its own stays, a length does not",
            &get,
            reply(
                401,
                &[
                    ("content-type", "application/problem+json"),
                    ("content-length", "9"),
                ],
                "{}",
                None,
            ),
            &[
                (":status", "401"),
                ("content-type", "application/problem+json"),
                ("content-length", "2"),
            ],
            "{}",
        ),
        (
            "no body, no type and no length",
            &get,
            reply(
                204,
                &[
                    ("content-type", "text/html"),
                    ("content-length", "9"),
                    ("x", "y"),
                ],
                "",
                None,
            ),
            &[(":status", "204"), ("x", "y")],
            "",
        ),
        (
            "HEAD keeps the length and loses the body",
            &head,
            reply(403, &[], "no", None),
            &[
                (":status", "403"),
                ("content-length", "2"),
                ("content-type", "text/plain"),
            ],
            "",
        ),
        (
            "repeated headers stay apart",
            &get,
            reply(
                401,
                &[("www-authenticate", "A"), ("www-authenticate", "B")],
                "",
                None,
            ),
            &[
                (":status", "401"),
                ("www-authenticate", "A"),
                ("www-authenticate", "B"),
            ],
            "",
        ),
        (
            "gRPC: the status is mapped, the body is the message",
            &plain,
            reply(403, &[("x", "y")], "100% né~\n", None),
            &[
                (":status", "200"),
                ("x", "y"),
                ("content-type", "application/grpc"),
                ("grpc-status", "7"),
                ("grpc-message", "100%25 n%C3%A9%7E%0A"),
            ],
            "",
        ),
        (
            "gRPC: a status of its own",
            &proto,
            reply(401, &[("content-type", "application/json")], "", Some(16)),
            &[
                (":status", "200"),
                ("content-type", "application/grpc"),
                ("grpc-status", "16"),
            ],
            "",
        ),
        (
            "gRPC: a status among the headers wins",
            &plain,
            reply(401, &[("grpc-status", "3")], "", Some(16)),
            &[
                (":status", "200"),
                ("grpc-status", "3"),
                ("content-type", "application/grpc"),
            ],
            "",
        ),
        (
            "gRPC-Web is not gRPC",
            &web,
            reply(403, &[], "", None),
            &[(":status", "403")],
            "",
        ),
    ];
    for (name, request, reply, expected, body) in cases {
        let response = reply.clone().into_response(request);
        let expected = Response {
            headers: headers(expected),
            body: body.as_bytes().to_vec(),
        };
        assert_eq!(show(&response), show(&expected), "{name}");
    }
}

#[test]
fn grpc_statuses_follow_envoys_table() {
    let grpc = headers(&[(":path", "/"), ("content-type", "application/grpc")]);
    for (http, status) in [
        (400, "13"),
        (401, "16"),
        (403, "7"),
        (404, "12"),
        (413, "2"),
        (429, "14"),
        (431, "2"),
        (500, "2"),
        (502, "14"),
        (503, "14"),
        (504, "14"),
    ] {
        let response = reply(http, &[], "", None).into_response(&grpc);
        assert_eq!(
            response.headers.get("grpc-status"),
            Some(status.as_bytes()),
            "{http}"
        );
    }
}

fn show(response: &Response) -> String {
    let mut text = String::new();
    for (name, value) in response.headers.iter() {
        text += &format!("{name}: {}\n", String::from_utf8_lossy(value));
    }
    text + &String::from_utf8_lossy(&response.body)
}
