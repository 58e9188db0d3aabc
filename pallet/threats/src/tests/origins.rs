//! Every call against every kind of origin.

use super::*;
use frame_support::traits::{GetCallName, UnfilteredDispatchable};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
	/// It may, and pays no fee.
	Free,
	/// It may not, and nothing is changed.
	Refused,
}
use Outcome::{Free, Refused};

fn origins() -> [RuntimeOrigin; 6] {
	[
		RuntimeOrigin::root(),
		RuntimeOrigin::none(),
		signed(STRANGER),
		signed(CLINIC_SIDECAR),
		signed(SIDECAR),
		signed(HOSPITAL),
	]
}

const OPERATORS: [Outcome; 6] = [Refused, Refused, Refused, Refused, Free, Free];
const ANYBODY_SIGNED: [Outcome; 6] = [Refused, Refused, Free, Free, Free, Free];

/// What each of [`origins`] gets from each call, in the order of the calls.
fn table() -> Vec<(Call<Test>, [Outcome; 6])> {
	let (organisation, reason) = (HOSPITAL, BlockReason::Policy);
	let (format, severity) = (SignatureFormat::Sigma, Severity::Low);
	let pattern = pattern(b"x");
	vec![
		(Call::block_ip { organisation, net: net(2), reason, expires_at: 50 }, OPERATORS),
		(Call::unblock_ip { organisation, net: net(1) }, OPERATORS),
		(Call::cleanup_expired_blocks { limit: 1 }, ANYBODY_SIGNED),
		(
			Call::register_signature { organisation, id: [2; 16], format, severity, pattern },
			OPERATORS,
		),
		(Call::retire_signature { organisation, id: [1; 16] }, OPERATORS),
	]
}

/// What the calls of the table find.
fn prepare() {
	assert_ok!(block(HOSPITAL, net(1), 5));
	assert_ok!(register(HOSPITAL, 1, b"x"));
	System::set_block_number(5);
}

fn check(call: Call<Test>, origin: RuntimeOrigin, expected: Outcome) {
	let result = || call.clone().dispatch_bypass_filter(origin.clone());
	match expected {
		Free => assert_eq!(Ok(Pays::No), result().map(|post| post.pays_fee)),
		Refused => {
			assert_noop!(result(), BadOrigin);
			let failed = result().expect_err("just refused; qed");
			assert_eq!(Pays::Yes, failed.post_info.pays_fee);
		},
	}
}

#[test]
fn every_call_admits_whom_it_should() {
	let named = table().iter().map(|(call, _)| call.get_call_name()).collect::<Vec<_>>();
	assert_eq!(Call::<Test>::get_call_names(), named, "a call without its row");
	for (call, outcomes) in table() {
		for (origin, expected) in origins().into_iter().zip(outcomes) {
			test(|| {
				prepare();
				println!("{} by {origin:?}", call.get_call_name());
				check(call.clone(), origin, expected);
			});
		}
	}
}
