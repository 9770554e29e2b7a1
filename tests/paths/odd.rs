//! Odd paths: those that have names, and any number that are made of pieces.

/// Each is a row of the tables. `OPTIONS` is asked about `*`, everything else is a `GET`.
pub const NAMED: [&[u8]; 72] = [
    b"/",
    b"/a",
    b"/open/a?b=c",
    b"/a/./b",
    b"/a/../b",
    b"/open/../closed",
    b"/..",
    b"/open/%2e%2e/closed",
    b"/open/%2E./closed",
    b"/open/.%2e/closed",
    b"/open/%252e%252e/closed",
    b"/open/%25%32%65%2e/closed",
    b"/open/..;/closed",
    b"/open/..;x=1/closed",
    b"/open/...",
    b"/open/..%00/closed",
    b"//",
    b"//a",
    b"/open//closed",
    b"/open///../closed",
    b"/a%2fb",
    b"/a%2Fb",
    b"/open%2f..%2fclosed",
    b"/open/..%2fclosed",
    b"/open/%2e%2e%2fclosed",
    b"/a%252fb",
    b"/a%5cb",
    b"/a%5Cb",
    b"/open%5c..%5cclosed",
    b"/open/..%5cclosed",
    b"/a\\b",
    b"/open\\..\\closed",
    b"/a;x=1/b",
    b"/a%3bx=1/b",
    b"/healthz;/closed",
    b"/healthz%3f/closed",
    b"/a%00",
    b"/a\x00",
    b"/a#b",
    b"/a%23b",
    b"/a?b#c",
    "/é".as_bytes(),
    b"/%c3%a9",
    b"/%C3%a9",
    b"/\xe9",
    b"/%e9",
    b"/open/%c0%ae%c0%ae/closed",
    b"/a%c0%afb",
    b"/a%e0%80%afb",
    b"/a%u002fb",
    b"/%",
    b"/%2",
    b"/%zz",
    b"/%41",
    b"/a%20b",
    b"/a b",
    b"/a ",
    b"/a\tb",
    b"/a%0d%0ab",
    b"/a\x7fb",
    b"/a+b/c:d@e,f=g&h'i(j)k!l~m*n",
    b"/a<b>|^`{}\"[]",
    b"*",
    b"",
    b"a",
    b"?a=b",
    b"http://gate.test/a",
    b"http://gate.test",
    b"http://gate.test?a=b",
    b"http://other.test/open/../closed",
    b"/a?b?c",
    b"/a?",
];

/// More of them, of queries for the most part, which have no row.
pub const MORE: [&[u8]; 40] = [
    b"/a??",
    b"/a?&&b=c&&",
    b"/a?b;c",
    b"/a?b=c;key=key-a",
    b"/a?b=%2f..%2f",
    b"/a?b=/../c//d",
    b"/a?%",
    b"/a?b=%zz",
    "/a?é=é".as_bytes(),
    b"/a?b=%e9",
    b"/a?b\\c",
    b"/a?b=c d",
    b"/a?b=c ",
    b"/a?key=key-a",
    b"/a?key=key-a&b=1",
    b"/a?b=1&&key=key-a&",
    b"/a?k%65y=key-a&b=%2F",
    b"/a?key=key-a&key=key-a",
    b"/a?key=key-a&b=?c",
    b"/a?key=key-a#b",
    b"/a?key=",
    b"/open/../a?key=key-a&b=/../c",
    b"//open/a?b=1&key=key-a",
    b"/open%2fa?key=key-a",
    b"/healthz?key=key-a&b=c",
    b"/healthz?a=b",
    b"/healthz",
    b"/healthz/",
    b"/%68ealthz",
    b"/HEALTHZ",
    b"/p/a",
    b"/p//a",
    b"/p/",
    b"/p",
    b"/p/../open",
    b"/p/%2e%2e/open",
    b"/p/healthz",
    b"https://gate.test:443/a?b",
    b"HTTP://gate.test/open",
    b"/\r\nx-case: 1",
];

/// What the others are made of: segments, what stands between them, ends.
const SEGMENTS: [&str; 44] = [
    "a",
    "b",
    "open",
    "closed",
    "healthz",
    "p",
    "",
    ".",
    "..",
    "...",
    "%2e",
    "%2E%2e",
    ".%2e",
    "%252e",
    "%25%32%65",
    "..;",
    "..;x=1",
    ";",
    ";x=1",
    "a;b",
    "%3b",
    "..%00",
    "%00",
    "%2f",
    "%2F",
    "%5c",
    "\\",
    "%252f",
    "%255c",
    "é",
    "%c3%a9",
    "%E9",
    "%c0%ae",
    "%c0%af",
    "%e0%80%af",
    "%",
    "%2",
    "%zz",
    "%6fpen",
    "%3f",
    "%23",
    "*",
    ":",
    "%20",
];
const BETWEEN: [&str; 12] = [
    "/", "/", "/", "/", "//", "%2f", "%2F", "\\", "%5c", "/./", "/../", "%252f",
];
const STARTS: [&str; 8] = ["/", "/", "/", "/", "/", "//", "/open/", "http://gate.test/"];
const ENDS: [&str; 20] = [
    "",
    "",
    "",
    "",
    "",
    "",
    "/",
    "?",
    "?a=b",
    "?key=key-a",
    "?a=1&key=key-a&b=/../c",
    "?a?b",
    "?&&",
    "?k%65y=key-a",
    "?a;b",
    "?a=%2f",
    "?%",
    "#",
    "?a#b",
    "?é",
];

/// Numbers that are the same for the same seed (SplitMix64).
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A path of up to six segments.
    pub fn path(&mut self) -> Vec<u8> {
        let mut path = self.pick(&STARTS).to_owned();
        for index in 0..=self.below(6) {
            if index > 0 {
                path.push_str(self.pick(&BETWEEN));
            }
            path.push_str(self.pick(&SEGMENTS));
        }
        path.push_str(self.pick(&ENDS));
        path.into_bytes()
    }
}

/// As long as most servers take, and longer.
pub fn long() -> Vec<Vec<u8>> {
    let repeated = |part: &str, count| format!("/{}", part.repeat(count)).into_bytes();
    vec![
        repeated("a", 8_000),
        repeated("a/", 4_000),
        repeated("../", 2_000),
        repeated("%2e%2e/", 1_000),
        repeated("/", 8_000),
        repeated("%41", 4_000),
    ]
}
