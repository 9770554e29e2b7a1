//! Floats as Go's `%g` writes them.

/// The shortest digits that are read back as the same float; with an exponent from 1e6 on, and below
/// 1e-4.
pub(super) fn shown(float: f64) -> String {
    written(&format!("{float:e}"))
}

/// The same of a float of 32 bits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::as_conversions,
    reason = "what it is for"
)]
pub(super) fn shown_short(float: f64) -> String {
    written(&format!("{:e}", float as f32))
}

/// From Rust's `1.5e-7`.
fn written(scientific: &str) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific.to_owned();
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..6).contains(&exponent) {
        let (direction, size) = (
            if exponent < 0 { '-' } else { '+' },
            exponent.unsigned_abs(),
        );
        return format!("{sign}{mantissa}e{direction}{size:02}");
    }
    let digits: String = mantissa.chars().filter(|digit| *digit != '.').collect();
    if exponent < 0 {
        let zeros = usize::try_from(exponent.unsigned_abs().saturating_sub(1)).unwrap_or_default();
        return format!("{sign}0.{}{digits}", "0".repeat(zeros));
    }
    let whole = usize::try_from(exponent)
        .unwrap_or_default()
        .saturating_add(1);
    match digits.split_at_checked(whole) {
        Some((whole, "")) => format!("{sign}{whole}"),
        Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{digits:0<whole$}"),
    }
}
