//! The checksum of a report: CRC-16 over its lines, and what gear makes of that.
//!
//! It goes from the first character of `ST` to the line end before `G85`. Some gear leaves that line end
//! out, some sends LF and sums up CR LF, some the other way round, and old gear swaps the two bytes.

/// Whether the digits of `G85` agree with these lines, `raw` being the same as they came; else why not.
pub(super) fn check(claimed: &str, lines: &[&[u8]], raw: &[u8]) -> Result<(), String> {
    let is_hex = claimed.len() <= 4 && claimed.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some(claimed) = is_hex.then(|| u16::from_str_radix(claimed, 16).ok()).flatten() else {
        return Err("the checksum is not four hexadecimal digits".to_owned());
    };
    let whole = lines.join(&b"\r\n"[..]);
    let without_end = of(&whole);
    let standard = continued(without_end, b"\r\n");
    let any = [standard, without_end, of(raw)];
    if any.iter().any(|sum| *sum == claimed || sum.swap_bytes() == claimed) {
        return Ok(());
    }
    Err(format!(
        "the checksum is {claimed:04X}, that of the lines above is {standard:04X}: something was lost"
    ))
}

/// CRC-16: x^16 + x^15 + x^2 + 1, reflected, from 0.
pub(super) fn of(bytes: &[u8]) -> u16 {
    continued(0, bytes)
}

fn continued(sum: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(sum, |sum, byte| {
        (0..8)
            .fold(sum ^ u16::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xA001 } else { sum >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&[u8]; 2] = [b"ST*001*0001", b"ID1*42"];

    #[test]
    fn it_is_the_one_that_is_known() {
        // The check value that catalogues of checksums give for this polynomial.
        assert_eq!(of(b"123456789"), 0xBB3D);
        assert_eq!(of(b""), 0);
    }

    #[test]
    fn variants_of_gear_agree_too() {
        let lf = b"ST*001*0001\nID1*42\n";
        let crlf = b"ST*001*0001\r\nID1*42\r\n";
        for sum in [of(crlf), of(&crlf[..crlf.len() - 2]), of(lf)] {
            for claimed in [format!("{sum:04X}"), format!("{sum:04x}"), format!("{:04X}", sum.swap_bytes())] {
                assert_eq!(check(&claimed, &LINES, lf), Ok(()), "{claimed}");
            }
        }
        assert!(check(&format!("{:04X}", of(crlf) ^ 0x0100), &LINES, lf).is_err());
        assert!(check("12345", &LINES, lf).is_err());
        assert!(check("+123", &LINES, lf).is_err());
    }
}
