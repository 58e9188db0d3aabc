use super::*;

fn register(who: AccountId, id: u8, pattern: &[u8]) -> sp_runtime::DispatchResult {
	let pattern = pattern.to_vec().try_into().expect("within MaxPatternLen; qed");
	let (format, severity) = (SignatureFormat::Regex, Severity::High);
	Threats::register_signature(signed(who), HOSPITAL, [id; 16], format, severity, pattern)
		.map(|_| ())
		.map_err(|failed| failed.error)
}

#[test]
fn a_signature_is_registered_once_for_a_deposit() {
	test(|| {
		assert_ok!(register(HOSPITAL, 1, b"union\\s+select"));

		assert!(held(HOSPITAL) > 0);
		assert_eq!(
			threat_events(),
			vec![Event::SignatureRegistered {
				signature: [1; 16],
				organisation: HOSPITAL,
				severity: Severity::High
			}]
		);
		assert_noop!(register(HOSPITAL, 1, b"other"), Error::<Test>::SignatureExists);
	});
}

#[test]
fn an_empty_signature_and_a_stranger_are_refused() {
	test(|| {
		assert_noop!(register(HOSPITAL, 1, b""), Error::<Test>::PatternEmpty);
		assert_noop!(register(STRANGER, 1, b"x"), BadOrigin);
	});
}
