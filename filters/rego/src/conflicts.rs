//! What the guards ask while a policy runs: whether a rule, a key or an object has more than one value.

use std::collections::BTreeMap;

use regorus::rvm::vm::RegoVM;

use crate::{
    builtins::{Failure, World, compare},
    guard::{ENTRY, PAIRS, VALUE},
    value::Value,
};

/// What the machine was told in one evaluation.
#[derive(Default)]
pub(crate) struct Conflicts {
    /// By rule: the arguments it last had, and the value it gave. A rule is in no two calls at
    /// once, since recursion is refused; and one that is asked the same again must say the same.
    values: BTreeMap<u16, (Vec<Value>, Value)>,
}

impl Conflicts {
    /// # Errors
    /// Says what conflicts.
    pub fn answer(
        &mut self,
        name: &str,
        arguments: &[Value],
        machine: &RegoVM,
        world: &World<'_>,
    ) -> Result<Value, Failure> {
        match (name, arguments) {
            (VALUE, [value]) => self.value(value, machine, world),
            (ENTRY, [key, value]) => entry(key, value, machine, world),
            (PAIRS, [Value::Set(pairs)]) => pairs_to_object(pairs.iter_sorted()),
            _ => Err(Failure::error(format!(
                "the machine asks for `{name}`, which is not known"
            ))),
        }
    }

    fn value(
        &mut self,
        value: &Value,
        machine: &RegoVM,
        world: &World<'_>,
    ) -> Result<Value, Failure> {
        let call = machine
            .get_call_stack()
            .last()
            .ok_or_else(|| Failure::error("a value outside of a rule"))?;
        let rule = machine
            .get_program()
            .rule_infos
            .get(usize::from(call.rule_index))
            .ok_or_else(|| Failure::error("a value of no rule"))?;
        let count = rule.function_info.as_ref().map_or(0, |info| {
            usize::try_from(info.num_params).unwrap_or_default()
        });
        // A function's arguments follow its result.
        let arguments = machine
            .get_registers()
            .get(1..count.saturating_add(1))
            .unwrap_or_default();
        if let Some((before, known)) = self.values.get(&call.rule_index)
            && same(before, arguments, world)?
        {
            if same(
                std::slice::from_ref(known),
                std::slice::from_ref(value),
                world,
            )? {
                return Ok(value.clone());
            }
            return Err(Failure::error(format!(
                "`{}` has more than one value",
                rule.name
            )));
        }
        self.values
            .insert(call.rule_index, (arguments.to_vec(), value.clone()));
        Ok(value.clone())
    }
}

/// The object so far is the rule's result.
fn entry(
    key: &Value,
    value: &Value,
    machine: &RegoVM,
    world: &World<'_>,
) -> Result<Value, Failure> {
    let call = machine
        .get_call_stack()
        .last()
        .ok_or_else(|| Failure::error("an entry outside of a rule"))?;
    match machine.get_registers().get(usize::from(call.result_reg)) {
        Some(Value::Object(entries)) => {
            compare::charge_place(key, entries.len(), world)?;
            match entries.get(key) {
                Some(known)
                    if !same(
                        std::slice::from_ref(known),
                        std::slice::from_ref(value),
                        world,
                    )? =>
                {
                    Err(Failure::error("a key has more than one value"))
                }
                _ => Ok(value.clone()),
            }
        }
        _ => Err(Failure::error("an entry of no object")),
    }
}

fn pairs_to_object<'a>(pairs: impl Iterator<Item = &'a Value>) -> Result<Value, Failure> {
    let mut entries = BTreeMap::new();
    for pair in pairs {
        if let Value::Array(pair) = pair
            && let [key, value] = pair.as_slice()
            && entries.insert(key.clone(), value.clone()).is_some()
        {
            return Err(Failure::error("a key of an object has more than one value"));
        }
    }
    Ok(Value::from(entries))
}

/// Whether values agree, each compared at its price.
fn same(some: &[Value], others: &[Value], world: &World<'_>) -> Result<bool, Failure> {
    for (one, other) in some.iter().zip(others) {
        compare::charge_pair(one, other, world)?;
    }
    Ok(some == others)
}
