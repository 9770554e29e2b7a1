//! regorus's virtual machine, in the mode in which it stops for what the host must answer: our
//! builtins, and the guards that stand where it would take a conflict for undefined.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use regorus::{
    Engine,
    languages::rego::compiler::Compiler,
    rvm::{
        Instruction,
        instructions::GuardMode,
        program::Program,
        vm::{ExecutionMode, RegoVM, SuspendReason, VmError},
    },
};

use crate::{
    builtins::{self, Failure, Meter, World},
    conflicts::Conflicts,
    error::{self, EvalError},
    guard,
    policy::Moment,
    source::Entrypoint,
    steps,
    value::Value,
};

/// As many machines wait for the next evaluation.
const POOLED: usize = 4;

pub(crate) struct Rvm {
    program: Arc<Program>,
    data: Value,
    pool: Mutex<Vec<RegoVM>>,
}

impl Rvm {
    /// Of an engine with the guarded modules, which several entrypoints may share.
    ///
    /// # Errors
    /// Why the policy cannot be compiled for the machine.
    pub async fn compile(
        engine: &mut Engine,
        data: &Value,
        entrypoint: &Entrypoint,
    ) -> Result<Rvm, String> {
        let told = |text: String| error::one_line(&text);
        let compiled = engine
            .compile_with_entrypoint(&entrypoint.as_str().into())
            .map_err(|error| told(error.to_string()))?;
        steps::pause().await;
        let answered: Vec<(&str, usize)> =
            builtins::called_by_machine().chain(guard::NAMES).collect();
        let program = Compiler::compile_from_policy_with_host_await(
            &compiled,
            &[entrypoint.as_str()],
            &answered,
        )
        .map_err(|error| told(error.to_string()))?;
        steps::pause().await;
        let rvm = Rvm {
            program: Arc::new(refuse_undefined(&program)?),
            data: data.clone(),
            pool: Mutex::new(Vec::new()),
        };
        let machine = rvm.machine().map_err(|error| told(error.to_string()))?;
        rvm.give_back(machine);
        Ok(rvm)
    }

    pub fn evaluate(&self, input: Value, moment: &Moment) -> Result<Option<Value>, EvalError> {
        let pooled = self
            .pool
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut machine = match pooled {
            Some(machine) => machine,
            None => self
                .machine()
                .map_err(|error| EvalError::Failed(kind(&error)))?,
        };
        machine.set_input(input);
        machine.set_max_instructions(usize::try_from(moment.instructions).unwrap_or(usize::MAX));
        let value = self.run(&mut machine, moment)?;
        // One that erred is not reused.
        machine.set_input(Value::Undefined);
        self.give_back(machine);
        Ok((value != Value::Undefined).then_some(value))
    }

    fn run(&self, machine: &mut RegoVM, moment: &Moment) -> Result<Value, EvalError> {
        let mut conflicts = Conflicts::default();
        let meter = Meter::new(moment);
        let world = World {
            moment: *moment,
            meter: &meter,
        };
        let mut step = machine.execute_entry_point_by_index(0);
        loop {
            let value = step.map_err(|error| self.failed(machine, &error))?;
            let answer = match machine.suspend_reason() {
                None => return Ok(value),
                Some(SuspendReason::HostAwait {
                    argument,
                    identifier,
                    ..
                }) => self.answer(machine, identifier, argument, &world, &mut conflicts)?,
                Some(other) => {
                    return Err(self.failed_at(machine, &format!("stopped: {}", variant(other))));
                }
            };
            step = machine.resume(Some(answer));
        }
    }

    fn answer(
        &self,
        machine: &RegoVM,
        identifier: &Value,
        argument: &Value,
        world: &World<'_>,
        conflicts: &mut Conflicts,
    ) -> Result<Value, EvalError> {
        let (Value::String(name), Value::Array(arguments)) = (identifier, argument) else {
            return Err(EvalError::Failed("a call without a name".to_owned()));
        };
        let arguments = arguments.as_slice();
        let is_guard = guard::is_guard(name);
        let answer = match is_guard {
            true => conflicts.answer(name, arguments, machine, world),
            false => builtins::call(name, arguments, world),
        };
        answer.map_err(|failure| match failure {
            Failure::Exceeded => EvalError::Budget,
            conflict if is_guard => self.failed_at(machine, &conflict.to_string()),
            other => self.failed_at(machine, &format!("{name}: {other}")),
        })
    }

    fn failed_at(&self, machine: &RegoVM, what: &str) -> EvalError {
        EvalError::Failed(match self.place(machine.get_pc()) {
            Some(place) => format!("{place}: {what}"),
            None => what.to_owned(),
        })
    }

    fn failed(&self, machine: &RegoVM, error: &VmError) -> EvalError {
        match error {
            VmError::InstructionLimitExceeded { .. } => EvalError::Budget,
            other => self.failed_at(machine, &kind(other)),
        }
    }

    fn place(&self, pc: usize) -> Option<String> {
        let span = self.program.get_instruction_span(pc)?;
        let file = span.get_source_name(&self.program.sources)?;
        Some(format!("{file}:{}", span.line))
    }

    fn machine(&self) -> Result<RegoVM, VmError> {
        let mut machine = RegoVM::new();
        machine.load_program(Arc::clone(&self.program));
        machine.set_execution_mode(ExecutionMode::Suspendable);
        machine.set_data(self.data.clone())?;
        Ok(machine)
    }

    fn give_back(&self, machine: RegoVM) {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < POOLED {
            pool.push(machine);
        }
    }
}

/// The machine's words show values of the request, and these are for logs.
fn kind(error: &VmError) -> String {
    format!("the machine failed: {}", variant(error))
}

/// The name of an enum's variant.
fn variant(value: &impl fmt::Debug) -> String {
    let shown = format!("{value:?}");
    let is_name = |character: &char| character.is_ascii_alphanumeric();
    shown.chars().take_while(is_name).collect()
}

/// The machine enters a function though an argument is undefined, and `f(_) := true` is then true.
/// Each definition begins with a block that matches the arguments with its patterns: in its place
/// comes one that first asks whether they are defined.
fn refuse_undefined(program: &Program) -> Result<Program, String> {
    let mut program = program.clone();
    let mut rules = std::mem::take(&mut program.rule_infos);
    for rule in &mut rules {
        let Some(function) = &rule.function_info else {
            continue;
        };
        let unfit = || {
            format!(
                "`{}` matches its arguments in a way that is not known",
                rule.name
            )
        };
        let arguments = u8::try_from(function.num_params).map_err(|_| unfit())?;
        for block in &mut rule.destructuring_blocks {
            let start = block.ok_or_else(unfit)?;
            let start = usize::try_from(start).map_err(|_| unfit())?;
            *block = Some(u32::try_from(program.instructions.len()).map_err(|_| unfit())?);
            for register in 1..=arguments {
                let mode = GuardMode::NotUndefined;
                program.add_instruction(Instruction::Guard { register, mode }, None);
            }
            // No jump among them, so that they run anywhere.
            for pc in start.. {
                let instruction = *program.instructions.get(pc).ok_or_else(unfit)?;
                program.add_instruction(instruction, program.get_instruction_span(pc).cloned());
                match instruction {
                    Instruction::DestructuringSuccess {} => break,
                    Instruction::Load { .. }
                    | Instruction::LoadTrue { .. }
                    | Instruction::LoadFalse { .. }
                    | Instruction::LoadBool { .. }
                    | Instruction::LoadNull { .. }
                    | Instruction::Move { .. }
                    | Instruction::Index { .. }
                    | Instruction::IndexLiteral { .. }
                    | Instruction::Count { .. }
                    | Instruction::Eq { .. }
                    | Instruction::AssertEq { .. }
                    | Instruction::Guard { .. } => {}
                    _ => return Err(unfit()),
                }
            }
        }
    }
    program.rule_infos = rules;
    Ok(program)
}
