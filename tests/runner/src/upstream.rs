//! The server behind Envoy: it notes what it receives and answers always the same.

use crate::{
    subject::{Received, UPSTREAM_BODY, UPSTREAM_HEADERS},
    wire,
};
use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

pub struct Upstream {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Upstream {
    pub fn start() -> io::Result<Upstream> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let received = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&received);
        // Ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let notes = Arc::clone(&notes);
                // A connection that ends, ends its thread; what was wrong shows in the answer that Envoy then gives.
                thread::spawn(move || serve(stream, &notes));
            }
        });
        Ok(Upstream { address, received })
    }

    /// Everything received since the last call.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *self.received.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn serve(mut stream: TcpStream, notes: &Mutex<Vec<Received>>) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.set_nodelay(true)?;
    loop {
        let head = wire::read_head(&mut stream)?;
        let (method, path, headers) = wire::parse_request(&head.bytes)?;
        let framed = ["content-length", "transfer-encoding"]
            .iter()
            .any(|name| headers.get(name).is_some());
        let body = if framed {
            wire::read_body(&mut stream, &headers, head.rest)?
        } else {
            Vec::new()
        };
        let bodiless = method == "HEAD";
        notes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Received {
                method,
                path,
                headers,
                body,
            });
        let mut response = String::from("HTTP/1.1 200 OK\r\n");
        for (name, value) in UPSTREAM_HEADERS {
            response.push_str(&format!("{name}: {value}\r\n"));
        }
        response.push_str(&format!("content-length: {}\r\n\r\n", UPSTREAM_BODY.len()));
        if !bodiless {
            response.push_str(UPSTREAM_BODY);
        }
        stream.write_all(response.as_bytes())?;
    }
}
