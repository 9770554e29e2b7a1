//! A client of HTTP/1.1, plain or over TLS, from an address of its own.

use super::{Authority, Certificate};
use portcullis_host::Headers;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use socket2::{Domain, Socket, Type};
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Whom to ask, and how.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    /// What it calls whom it asks, in `Host` and, over TLS, to have the certificate checked against.
    pub host: String,
    pub tls: Option<Arc<ClientConfig>>,
    /// Where it asks from.
    pub from: Ipv4Addr,
}

#[derive(Debug)]
pub struct Answer {
    /// That it came to.
    pub port: u16,
    /// When the request was sent.
    pub since: SystemTime,
    pub status: u16,
    pub headers: Headers,
    pub body: String,
}

/// A connection that is kept.
pub struct Connection {
    stream: Stream,
    port: u16,
    host: String,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

const TIMEOUT: Duration = Duration::from_secs(20);

/// TLS that believes these authorities, and shows this certificate, or none.
pub fn trust(authorities: &[&Authority], shows: Option<&Certificate>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.der()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match shows {
        None => builder.with_no_client_auth(),
        Some(shown) => {
            let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
            let chain = vec![shown.der.clone()];
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    })
}

impl Client {
    pub fn new(address: SocketAddr, host: &str, tls: Option<Arc<ClientConfig>>) -> Client {
        Client {
            address,
            host: host.to_owned(),
            tls,
            from: Ipv4Addr::LOCALHOST,
        }
    }

    /// On a connection of its own.
    pub fn ask(&self, method: &str, target: &str, lines: &[(&str, &str)]) -> io::Result<Answer> {
        self.connect()?.ask(method, target, lines, "")
    }

    /// The same, where it must be answered.
    pub fn get(&self, target: &str, lines: &[(&str, &str)]) -> Answer {
        self.ask("GET", target, lines).unwrap()
    }

    pub fn connect(&self) -> io::Result<Connection> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((self.from, 0)).into())?;
        socket.connect_timeout(&self.address.into(), TIMEOUT)?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        let port = stream.local_addr()?.port();
        let stream = match &self.tls {
            None => Stream::Plain(stream),
            Some(config) => {
                let name = self.host.clone().try_into().unwrap();
                let connection = ClientConnection::new(Arc::clone(config), name);
                let connection = connection.map_err(io::Error::other)?;
                Stream::Tls(Box::new(StreamOwned::new(connection, stream)))
            }
        };
        Ok(Connection {
            stream,
            port,
            host: self.host.clone(),
        })
    }
}

impl Connection {
    /// A `host` among the lines takes the place of the client's own.
    pub fn ask(
        &mut self,
        method: &str,
        target: &str,
        lines: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Answer> {
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !lines.iter().any(|(name, _)| *name == "host") {
            head += &format!("host: {}\r\n", self.host);
        }
        for (name, value) in lines {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            head += &format!("content-length: {}\r\n", body.len());
        }
        let since = SystemTime::now();
        self.write_all(format!("{head}\r\n{body}").as_bytes())?;
        self.flush()?;
        let (status, headers, body) = portcullis_runner::receive(self, method == "HEAD")?;
        Ok(Answer {
            port: self.port,
            since,
            status,
            headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    /// What the other end shows, once it has answered.
    pub fn certificate(&self) -> Option<CertificateDer<'static>> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => Some(stream.conn.peer_certificates()?.first()?.clone()),
        }
    }
}

impl Answer {
    /// The first header of the name, or nothing.
    pub fn header(&self, name: &str) -> String {
        String::from_utf8_lossy(self.headers.get(name).unwrap_or_default()).into_owned()
    }
}

impl Read for Connection {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.read(into),
            Stream::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}
