//! Encodings that outside programs rely on.

use super::*;
use codec::Encode;

#[test]
fn a_call_is_encoded_as_written_down() {
	let call = Call::<Test>::block_ip {
		organisation: HOSPITAL,
		net: net(3),
		reason: BlockReason::Intrusion,
		expires_at: 9,
	};
	let mut expected = vec![0];
	expected.extend(HOSPITAL.to_le_bytes());
	expected.extend([0, 10, 0, 3, 0, 24]);
	expected.push(3);
	expected.extend(9u64.to_le_bytes());
	assert_eq!(expected, call.encode());
}

#[test]
fn calls_keep_their_numbers() {
	let (organisation, net, id) = (HOSPITAL, net(1), [1; 16]);
	let first = |call: Call<Test>| call.encode()[0];
	let block = Call::block_ip { organisation, net, reason: BlockReason::Policy, expires_at: 1 };
	assert_eq!(0, first(block));
	assert_eq!(1, first(Call::unblock_ip { organisation, net }));
	assert_eq!(2, first(Call::cleanup_expired_blocks { limit: 1 }));
	let register = Call::register_signature {
		organisation,
		id,
		format: SignatureFormat::Snort,
		severity: Severity::Low,
		pattern: pattern(b"x"),
	};
	assert_eq!(3, first(register));
	assert_eq!(4, first(Call::retire_signature { organisation, id }));
}

#[test]
fn networks_are_encoded_in_network_byte_order() {
	assert_eq!(vec![0, 10, 0, 1, 0, 24], net(1).encode());
	let mut expected = vec![1, 0x20, 0x01];
	expected.extend([0; 14]);
	expected.push(16);
	let mut address = [0; 16];
	address[..2].copy_from_slice(&[0x20, 0x01]);
	assert_eq!(expected, IpNet::V6 { address, prefix: 16 }.encode());
}

#[test]
fn reasons_formats_severities_and_holds_keep_their_numbers() {
	assert_eq!(
		vec![0, 1, 2, 3, 4, 5],
		[
			BlockReason::BruteForce,
			BlockReason::Scanning,
			BlockReason::DenialOfService,
			BlockReason::Intrusion,
			BlockReason::Exfiltration,
			BlockReason::Policy,
		]
		.encode()
	);
	assert_eq!(
		vec![0, 1, 2, 3],
		[
			SignatureFormat::Regex,
			SignatureFormat::Snort,
			SignatureFormat::Sigma,
			SignatureFormat::Yara,
		]
		.encode()
	);
	assert_eq!(
		vec![0, 1, 2, 3],
		[Severity::Low, Severity::Medium, Severity::High, Severity::Critical].encode()
	);
	assert_eq!(vec![0, 1], [HoldReason::IpBlock, HoldReason::Signature].encode());
}

/// A listener outside finds what expires next without a scan.
#[test]
fn the_index_sorts_by_expiry() {
	test(|| {
		for (n, expires_at) in [(1, 300), (2, 2), (3, 255), (4, 256)] {
			assert_ok!(block(HOSPITAL, net(n), expires_at));
		}
		let expiries =
			Expiries::<Test>::iter_keys().map(|(due, _)| due.number()).collect::<Vec<_>>();
		assert_eq!(vec![2, 255, 256, 300], expiries);
	});
}
