//! How are numbers written?

/// Returns a share as a percentage, as in "97.53 %"; a dash where it is no number.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.2} %", 100.0 * share) } else { "–".to_owned() }
}

/// Returns an integer with a comma between thousands, as in "60,000".
pub fn integer(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a number with this many decimals; a dash where it is no number.
pub fn decimal(number: f64, decimals: usize) -> String {
    if number.is_finite() { format!("{number:.decimals$}") } else { "–".to_owned() }
}

/// Returns a learning rate with three significant digits, as in "0.00300" or "1.00e-5".
pub fn rate(number: f64) -> String {
    if number != 0.0 && number.abs() < 1e-3 { format!("{number:.2e}") } else { decimal(number, 5) }
}

/// Returns a count with its noun, as in "1 image" and "2 images".
pub fn count(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", integer(number), if number == 1 { "" } else { "s" })
}

/// Returns a time, as in "4.2 s", "3 min 05 s" and "2 h 07 min"; a dash where it is no number.
pub fn seconds(seconds: f64) -> String {
    if !(seconds.is_finite() && seconds >= 0.0) {
        return "–".to_owned();
    }
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match whole / 60 {
        minutes @ 0..60 => format!("{minutes} min {:02} s", whole % 60),
        minutes => format!("{} h {:02} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([integer(7), integer(1_000), integer(1_234_567)], ["7", "1,000", "1,234,567"]);
        assert_eq!([percent(0.97534), percent(f64::NAN)], ["97.53 %", "–"]);
        assert_eq!([count(1, "image"), count(0, "image")], ["1 image", "0 images"]);
        assert_eq!([seconds(4.21), seconds(59.99), seconds(185.0)], ["4.2 s", "1 min 00 s", "3 min 05 s"]);
        assert_eq!([seconds(7_620.0), seconds(f64::INFINITY)], ["2 h 07 min", "–"]);
        assert_eq!([rate(0.003), rate(0.00001)], ["0.00300", "1.00e-5"]);
    }
}
