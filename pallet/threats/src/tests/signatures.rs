use super::*;

#[test]
fn a_signature_is_registered_once_for_a_deposit() {
	test(|| {
		assert_ok!(register(HOSPITAL, 1, b"union\\s+select"));
		assert_eq!(
			vec![Event::SignatureRegistered {
				signature: [1; 16],
				organisation: HOSPITAL,
				format: SignatureFormat::Regex,
				severity: Severity::High
			}],
			threat_events()
		);
		assert_eq!(SIGNATURE_DEPOSIT + 14, held(HOSPITAL));
		for organisation in [HOSPITAL, CLINIC] {
			assert_noop!(register(organisation, 1, b"other"), Error::<Test>::SignatureExists);
		}
	});
}

#[test]
fn a_signature_keeps_what_was_registered() {
	test(|| {
		System::set_block_number(7);
		assert_ok!(register(HOSPITAL, 1, b"union"));
		let stored = Signatures::<Test>::get([1; 16]).expect("registered; qed");
		assert_eq!(
			(HOSPITAL, SignatureFormat::Regex, Severity::High, pattern(b"union"), 7),
			(
				stored.organisation,
				stored.format,
				stored.severity,
				stored.pattern,
				stored.registered_at
			)
		);
	});
}

#[test]
fn a_retired_signature_is_gone_and_the_deposit_goes_back() {
	test(|| {
		assert_ok!(register(HOSPITAL, 1, b"union"));
		assert_ok!(register(HOSPITAL, 2, b"select"));
		threat_events();
		assert_ok!(retire(HOSPITAL, 1));

		let retired = Event::SignatureRetired { signature: [1; 16], organisation: HOSPITAL };
		assert_eq!(vec![retired], threat_events());
		assert_eq!(SIGNATURE_DEPOSIT + 6, held(HOSPITAL));
		assert!(!Signatures::<Test>::contains_key([1; 16]));
		assert_noop!(retire(HOSPITAL, 1), Error::<Test>::SignatureUnknown);
		assert_ok!(register(CLINIC, 1, b"anew"));
	});
}

#[test]
fn only_the_organisation_that_registered_a_signature_retires_it() {
	test(|| {
		assert_ok!(register(HOSPITAL, 1, b"union"));
		assert_noop!(retire(CLINIC, 1), Error::<Test>::SignatureForeign);
		assert_noop!(Threats::retire_signature(signed(CLINIC), HOSPITAL, [1; 16]), BadOrigin);
		assert_ok!(Threats::retire_signature(signed(SIDECAR), HOSPITAL, [1; 16]));
	});
}

#[test]
fn a_signature_weighs_what_its_length_does() {
	use frame_support::dispatch::GetDispatchInfo;
	let weight = |length: usize| {
		let call = Call::<Test>::register_signature {
			organisation: HOSPITAL,
			id: [1; 16],
			format: SignatureFormat::Regex,
			severity: Severity::High,
			pattern: pattern(&vec![b'x'; length]),
		};
		call.get_dispatch_info().call_weight
	};
	// Whether length counts at all is up to the measurement: so few bytes hardly do.
	for length in [1, 64] {
		let measured = <Test as Config>::WeightInfo::register_signature(length as u32);
		assert_eq!(measured, weight(length));
	}
}
