//! Every error, and a call that meets it.

use super::*;
use scale_info::{TypeDef, TypeInfo};
use sp_runtime::{DispatchError, DispatchResult};

/// A call for each error, in the order of the errors, where the hospital has blocked a network
/// and registered a signature.
fn table() -> Vec<(&'static str, DispatchResult)> {
	let host = IpNet::V4 { address: [10, 0, 0, 1], prefix: 24 };
	vec![
		("NetworkInvalid", block(HOSPITAL, host, 5)),
		("ExpiryInPast", block(HOSPITAL, net(1), 1)),
		("ExpiryTooFar", block(HOSPITAL, net(1), 2_000)),
		("BlockUnknown", unblock(CLINIC, net(1))),
		("LimitInvalid", bare(Threats::cleanup_expired_blocks(signed(STRANGER), 0))),
		("SignatureExists", register(CLINIC, 1, b"x")),
		("PatternEmpty", register(HOSPITAL, 2, b"")),
		("SignatureUnknown", retire(HOSPITAL, 2)),
		("SignatureForeign", retire(CLINIC, 1)),
	]
}

fn declared() -> Vec<&'static str> {
	match Error::<Test>::type_info().type_def {
		TypeDef::Variant(errors) => errors.variants.iter().map(|error| error.name).collect(),
		other => panic!("an enum, not {other:?}"),
	}
}

#[test]
fn every_error_is_met() {
	test(|| {
		assert_ok!(block(HOSPITAL, net(1), 5));
		assert_ok!(register(HOSPITAL, 1, b"x"));
		let table = table();
		assert_eq!(declared(), table.iter().map(|(name, _)| *name).collect::<Vec<_>>());
		for (name, result) in table {
			match result {
				Err(DispatchError::Module(error)) => assert_eq!(Some(name), error.message),
				other => panic!("{name}: {other:?}"),
			}
		}
	});
}
