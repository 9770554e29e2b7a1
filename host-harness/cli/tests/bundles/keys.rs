//! Keys that sign bundles in tests, and nothing else anywhere.

pub struct Key {
    pub private: &'static str,
    pub public: &'static str,
    pub algorithms: &'static [&'static str],
}

/// One of each kind.
pub const KEYS: &[Key] = &[CI, P384, P521, RSA, ED25519, SECRET];

/// PKCS #8.
pub const CI: Key = Key {
    private: include_str!("../../../../tests/bundles/ci.pem"),
    public: include_str!("../../../../tests/bundles/ci.pub.pem"),
    algorithms: &["ES256"],
};

/// SEC 1.
pub const OTHER: Key = Key {
    private: "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIE3uLFHOH6odBbal7pqYo2qtAQMDwrn3QrrLBkk+crFyoAoGCCqGSM49
AwEHoUQDQgAEKCkO1K7OnE6X8WJkunIP2v+IctOzy7C60VH6Ti6lIcQa5+lBa4qM
ge08lDC9vdWYG3NIdCJ635SmMbK3Fik4cw==
-----END EC PRIVATE KEY-----
",
    public: "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKCkO1K7OnE6X8WJkunIP2v+IctOz
y7C60VH6Ti6lIcQa5+lBa4qMge08lDC9vdWYG3NIdCJ635SmMbK3Fik4cw==
-----END PUBLIC KEY-----
",
    algorithms: &["ES256"],
};

/// SEC 1.
pub const P384: Key = Key {
    private: "-----BEGIN EC PRIVATE KEY-----
MIGkAgEBBDCYeBOPX7ppgfZlbk5+H11NBouBhuVzsYYYMVynzRoJtF8SVwNSKFB0
c4rtnGxL6XegBwYFK4EEACKhZANiAAR8qLZ/KTh9XaqYZMLxR4RIJ6sOJv7WZHMI
7SHD6aN0Ggwtdxedm7tlg53eZeVD0EKSFee9zPWDI9dvgpEiwckFkpWVeq4DK8ce
KpbaNmaodxk2K4mBkJN/H2W0XM55zPw=
-----END EC PRIVATE KEY-----
",
    public: "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEfKi2fyk4fV2qmGTC8UeESCerDib+1mRz
CO0hw+mjdBoMLXcXnZu7ZYOd3mXlQ9BCkhXnvcz1gyPXb4KRIsHJBZKVlXquAyvH
HiqW2jZmqHcZNiuJgZCTfx9ltFzOecz8
-----END PUBLIC KEY-----
",
    algorithms: &["ES384"],
};

/// PKCS #8.
pub const P521: Key = Key {
    private: "-----BEGIN PRIVATE KEY-----
MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIB2n2038OqgGQHpx2O
fO4d6c/Z1i5hulCY86oIbKk34pn0gZs24Cll2A7U6eulwENofx64grmh6gOpVX91
JqzZ1sihgYkDgYYABAHPfbkWzj95CKRQNk1eLrwVg8nVwZS99pP3J1pKdJOrTsAY
g3LwPGHhNVUGHjWOsUjI4g1XbNw3ZUpxWG8EZAkB2wDDW9VhlevmFbNvuaSfBE0E
wC1eCLzpZmewCIWCISf9blWWEasrggg9ZufjcgsGDSSC8/7saGK3foCSs2/kwQYf
Vw==
-----END PRIVATE KEY-----
",
    public: "-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBz325Fs4/eQikUDZNXi68FYPJ1cGU
vfaT9ydaSnSTq07AGINy8Dxh4TVVBh41jrFIyOINV2zcN2VKcVhvBGQJAdsAw1vV
YZXr5hWzb7mknwRNBMAtXgi86WZnsAiFgiEn/W5VlhGrK4IIPWbn43ILBg0kgvP+
7Ghit36AkrNv5MEGH1c=
-----END PUBLIC KEY-----
",
    algorithms: &["ES512"],
};

/// PKCS #1.
pub const RSA: Key = Key {
    private: "-----BEGIN RSA PRIVATE KEY-----
MIIEogIBAAKCAQEAu6eS3DJwwa+LKv+L2QWK4OmQ1nm1Osy27L4h20yh+Z/sVI7p
AChMExPQbklxYtzEUlJb2Y6gBS6wX7ZS7oVBg1OeFaOqlVBTPnZNXg3/BiTbG8Wb
QAxG6BD++M6rnkZPflK3mNE38GSBtLSSgOgxOR3lTe6DafB9Fn9iO4Wb29Bpx+fZ
qnmoBnxcXNtSF6xqpDHKvMgDLFy9HQ6k5lFQxX5ei0KM3+5AFhGeMgqXps2hEefj
lbrRdf0+OgICtEViEC3dLQVZJ3C7Rpby2Caonvys2BX5x4LxJNF2kCWym2/nDTc1
e5dBvbUy0DD0J4VqOyuj4d30lfseivx1syHgUQIDAQABAoIBABYScUs2IZ4ehDuE
AFJ//ORUhKU9fowSfSeee4P8YQboARe3EX/jvYL27yqxt8T9m5flOQl/ZaIGaldv
rhSBFwIX6T25WPykDI6JwrLf6ZGy7xS2qvqfFw3/xcXFJVmCAqKknxS58x7y63Cy
VpMT/Iov0oNWnR1uXIAzbn36yqjRiGTbiyV/YpzUcS/XW9f6+jjuS7Rzt2TNTuSH
dD+Lst7KSOewb3FYt3TiOP9FtD2wcraURCq4RTNN4W5U5c/BSJ23QBJgPmScqnA1
MZkT2HGQPtVG0rH8e0F9JcqQA13osyHUmstUrmit42GmTlSzjQljk8AT/40Wpd1r
7mHxxSMCgYEA9TegPl/SBLbCU7nyYSi7ckFmuA80za/daL+5uC9kp3XhpHM6ST7p
l8CWinBUTJnkkZAmbzDHcM6kkRUH9i8XKhPUoNC+GXaYgP0A2mMrfqpO8TQwMdX5
97vnVizhU73oNDP8ayM1nAr5pc2cMfbgpBescbmQaLPOALOvZhXtgBcCgYEAw+f5
GQpPKZ9c2H0qRp7pMT6gefyEnkN4DNGfORkHYbXcZprE5KOFL+ko/Fw/ohB9pVES
A6FDJp3YekJwlmuKCENKLpt3df585fRhpYqAzPQ1GcpEQ8HOaJTjTyP94m4CJJNU
xe4xZtHKcYtIwgYSfgIiL7paRzgASNRE4ZbKO9cCgYAFb8dIur0gR6EFVDEQgGOv
g82wNP4ZtVV2VhHbCIn1wIJRMBDRwOhS6f0scpMb46mSpJyFiJJTaPFzGgFELwUX
dLsZGaetTtjQu0tCjEJRm5sGc/7BjBnvqSXW3kXconA8gA6PnYc5v3CLgYR+Axg1
6yRynQebmqjtkQ5JeCD83wKBgH9Ucs8XqERBVDNRhvzHpIFhVyRyQDAtYgXS6U5P
OkED1vDJf1esAJEXVpBP1PwdA81DWBYL5n1e8qjkLhFWbCzar4iDe62xbrR3lk/m
KbkMsMbGdIAlo2bN/sAdgJJ/Nd1X9S2Al5Ngn9gU04FoOPS1pkqnMK5Bc83iSbLm
MyOZAoGAPRwDMvFbrDDtNRrPh2V4jsu3bgVpGUuH7gA3YWko8sjTx2Il9DwdV4Oi
5urNmU0mKxxw8AewgLjhJ1LB4m7dv7HAbGHkLmguHSs+UN8uVFfRf6HCNUR/0lNw
8KD/RrWKtq6or2DlvsdnKcDDqgnLtTfq25utaVsBwlR5+2Ch/Xc=
-----END RSA PRIVATE KEY-----
",
    public: "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu6eS3DJwwa+LKv+L2QWK
4OmQ1nm1Osy27L4h20yh+Z/sVI7pAChMExPQbklxYtzEUlJb2Y6gBS6wX7ZS7oVB
g1OeFaOqlVBTPnZNXg3/BiTbG8WbQAxG6BD++M6rnkZPflK3mNE38GSBtLSSgOgx
OR3lTe6DafB9Fn9iO4Wb29Bpx+fZqnmoBnxcXNtSF6xqpDHKvMgDLFy9HQ6k5lFQ
xX5ei0KM3+5AFhGeMgqXps2hEefjlbrRdf0+OgICtEViEC3dLQVZJ3C7Rpby2Cao
nvys2BX5x4LxJNF2kCWym2/nDTc1e5dBvbUy0DD0J4VqOyuj4d30lfseivx1syHg
UQIDAQAB
-----END PUBLIC KEY-----
",
    algorithms: &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
};

/// PKCS #8.
pub const ED25519: Key = Key {
    private: "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIFc7vtS6eqmVSlGxwr9bojX7wYYB+NTnTX1uTunrEiSU
-----END PRIVATE KEY-----
",
    public: "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAl5rxfB4DUoyNCNTTGIay2jTNgp8OXdjOI/9NjmWquJU=
-----END PUBLIC KEY-----
",
    algorithms: &["EdDSA"],
};

/// Shared, so the public one is the same.
pub const SECRET: Key = Key {
    private: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
    public: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    algorithms: &["HS256", "HS384", "HS512"],
};
