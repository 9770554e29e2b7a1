//! What a policy costs must not grow with the data that it only looks into.

#![allow(unsafe_code, reason = "an allocator that counts is unsafe to write")]
#![allow(clippy::unwrap_used, reason = "a test's helper may fail it")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use portcullis_rego::{Entrypoint, Module, Moment, Policy, Sources, Value, value};

struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does it; only the bytes are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promised.
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that were asked for meanwhile, and the result.
fn allocated<T>(what: &str, work: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATED.load(Ordering::Relaxed);
    let result = work();
    let bytes = ALLOCATED.load(Ordering::Relaxed) - before;
    eprintln!("{what}: {bytes} bytes");
    (bytes, result)
}

const MOMENT: Moment = Moment {
    now_ns: 0,
    instructions: 200_000,
    strict_builtin_errors: false,
};

/// Bytes of a load, of an evaluation by the machine, and of the first and the second by the
/// interpreter, which makes its engine at the first.
fn costs(count: usize, data: impl FnOnce(Value) -> Value, text: &str) -> [usize; 4] {
    let entries = (0..count).map(|index| {
        let record = value::object([
            (value::string("owner"), value::string("team")),
            (value::string("on"), Value::from(true)),
        ]);
        (value::string(&format!("key-{index:06}")), record)
    });
    let (_, data) = allocated(&format!("{count} data"), || data(value::object(entries)));
    let entrypoint = Entrypoint::parse("p/allow").unwrap();
    let sources = Sources {
        modules: vec![Module::new("p.rego", text)],
        data,
        ..Sources::default()
    };
    let (load, policy) = allocated("load", || {
        Policy::load(sources, std::slice::from_ref(&entrypoint)).unwrap()
    });
    assert!(
        policy.is_on_machine(&entrypoint),
        "{:?}",
        policy.evaluator(&entrypoint)
    );
    let input = || value::object([(value::string("key"), value::string("key-000007"))]);
    let yes = Some(Value::from(true));
    let (machine, found) = allocated("machine", || policy.evaluate(&entrypoint, input(), &MOMENT));
    assert_eq!(found.unwrap(), yes);
    let interpreter = || policy.evaluate_by_interpreter(&entrypoint, input(), &MOMENT);
    let (first, found) = allocated("interpreter, first", interpreter);
    assert_eq!(found.unwrap(), yes);
    let (second, found) = allocated("interpreter, second", interpreter);
    assert_eq!(found.unwrap(), yes);
    [load, machine, first, second]
}

#[test]
fn data_is_not_copied() {
    type Place = fn(Value) -> Value;
    // Where the interpreter keeps a rule's value it has the object to itself, for each question.
    let places: [(&str, Place, &str, usize); 3] = [
        (
            "by itself",
            |keys| value::object([(value::string("keys"), keys)]),
            "package p\n\nallow if data.keys[input.key].on\n",
            4,
        ),
        (
            "beside the rules",
            |keys| {
                value::object([(
                    value::string("p"),
                    value::object([(value::string("keys"), keys)]),
                )])
            },
            "package p\n\nallow if data.p.keys[input.key].on\n",
            4,
        ),
        (
            "among the rules",
            |keys| value::object([(value::string("p"), keys)]),
            "package p\n\nallow if data.p[\"key-000007\"].on\n",
            2,
        ),
    ];
    for (place, data, text, held) in places {
        eprintln!("-- {place}");
        let few = costs(100, data, text);
        let many = costs(100_000, data, text);
        for (few, many) in few.into_iter().zip(many).take(held) {
            // What is hashed, say, moves a little.
            assert!(many <= few + 4096, "{place}: {few} bytes became {many}");
        }
    }
}
