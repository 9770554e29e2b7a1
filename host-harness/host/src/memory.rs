//! The guest's linear memory. Nothing the guest points at is trusted: a bad pointer is an answer, never a panic.

use wasmtime::{Caller, Extern, Memory};

use crate::abi::Status;
use crate::host::Host;

/// The longest message or name that a hostcall keeps a copy of.
pub(crate) const MAX_TEXT: usize = 1 << 20;

/// A hostcall's view of the guest that called it.
pub(crate) struct Guest<'a> {
    caller: Caller<'a, Host>,
    memory: Option<Memory>,
}

/// A hostcall ends in a status for the guest, or ends the guest.
pub(crate) enum Failure {
    Status(Status),
    Trap(wasmtime::Error),
}

pub(crate) type Answer = Result<(), Failure>;

impl<'a> Guest<'a> {
    pub fn new(mut caller: Caller<'a, Host>) -> Self {
        // A start section runs before the host knows the instance's memory.
        let memory = caller
            .data()
            .memory
            .or_else(|| match caller.get_export("memory") {
                Some(Extern::Memory(memory)) => Some(memory),
                _ => None,
            });
        Self { caller, memory }
    }

    pub fn host(&mut self) -> &mut Host {
        self.caller.data_mut()
    }

    pub fn view(&self, pointer: u32, size: u32) -> Result<&[u8], Status> {
        let start = pointer as usize;
        self.memory
            .ok_or(Status::InvalidMemoryAccess)?
            .data(&self.caller)
            .get(start..start.saturating_add(size as usize))
            .ok_or(Status::InvalidMemoryAccess)
    }

    pub fn bytes(&self, pointer: u32, size: u32) -> Result<Vec<u8>, Status> {
        self.view(pointer, size).map(<[u8]>::to_vec)
    }

    /// Names are compared and kept as text; what is not UTF-8 cannot be one of ours.
    pub fn text(&self, pointer: u32, size: u32) -> Result<String, Status> {
        self.view(pointer, size)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub fn u32(&self, pointer: u32) -> Result<u32, Status> {
        let bytes = self.view(pointer, 4)?;
        let bytes = bytes.try_into().map_err(|_| Status::InvalidMemoryAccess)?;
        Ok(u32::from_le_bytes(bytes))
    }

    pub fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), Status> {
        let start = pointer as usize;
        self.memory
            .ok_or(Status::InvalidMemoryAccess)?
            .data_mut(&mut self.caller)
            .get_mut(start..start.saturating_add(bytes.len()))
            .ok_or(Status::InvalidMemoryAccess)?
            .copy_from_slice(bytes);
        Ok(())
    }

    pub fn write_u32(&mut self, pointer: u32, value: u32) -> Result<(), Status> {
        self.write(pointer, &value.to_le_bytes())
    }

    pub fn write_u64(&mut self, pointer: u32, value: u64) -> Result<(), Status> {
        self.write(pointer, &value.to_le_bytes())
    }

    /// Hands `bytes` to the guest in memory of its own (`WasmBase::copyToPointerSize`): nothing is allocated for no
    /// bytes, and a null result pointer is skipped.
    pub fn give(&mut self, bytes: &[u8], pointer_at: u32, size_at: u32) -> Answer {
        let (pointer, size) = self.allocate(bytes)?;
        if pointer_at != 0 {
            self.write_u32(pointer_at, pointer)?;
        }
        if size_at != 0 {
            self.write_u32(size_at, size)?;
        }
        Ok(())
    }

    fn allocate(&mut self, bytes: &[u8]) -> Result<(u32, u32), Failure> {
        if bytes.is_empty() {
            return Ok((0, 0));
        }
        let size = u32::try_from(bytes.len()).map_err(|_| Status::InvalidMemoryAccess)?;
        let malloc = self
            .host()
            .malloc
            .clone()
            .ok_or(Status::InvalidMemoryAccess)?;
        let pointer = malloc.call(&mut self.caller, size).map_err(Failure::Trap)?;
        if pointer == 0 {
            return Err(Status::InvalidMemoryAccess.into());
        }
        self.write(pointer, bytes)?;
        Ok((pointer, size))
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}
