//! Each invariant is seen to be broken.

use super::*;
use caregrid_expiry::DueBlock;
use frame_support::traits::StorageVersion;
use sp_runtime::TryRuntimeError;

const HOST: IpNet = IpNet::V4 { address: [10, 0, 0, 1], prefix: 24 };

fn stored() -> IpBlock<Test> {
	Blocks::<Test>::get(net(1), HOSPITAL).expect("blocked; qed")
}

/// What the check says after something was broken in a sound state.
fn broken(break_it: fn()) -> Result<(), TryRuntimeError> {
	new_test_ext().execute_with(|| {
		assert_ok!(block(HOSPITAL, net(1), 5));
		assert_ok!(register(HOSPITAL, 1, b"x"));
		System::set_block_number(4);
		check_invariants();
		break_it();
		Threats::do_try_state()
	})
}

#[test]
fn every_invariant_is_checked() {
	let table: [(&str, fn()); 10] = [
		("1: unknown storage version", || StorageVersion::new(2).put::<Threats>()),
		("1: unknown storage version", || StorageVersion::new(0).put::<Threats>()),
		("2: network not canonical", || Blocks::<Test>::insert(HOST, HOSPITAL, stored())),
		("3: block not listed", || Blocks::<Test>::insert(net(2), HOSPITAL, stored())),
		("4: listed without a block", || {
			Expiries::<Test>::insert(DueBlock::new(5u64), (net(2), HOSPITAL), ())
		}),
		("4: listed at another expiry", || {
			Expiries::<Test>::insert(DueBlock::new(6u64), (net(1), HOSPITAL), ())
		}),
		("5: cursor ahead of the present", || {
			ExpiryCursor::<Test>::put((DueBlock::new(5u64), (net(1), HOSPITAL)))
		}),
		("5: cursor behind an entry", || {
			System::set_block_number(5);
			ExpiryCursor::<Test>::put((DueBlock::new(5u64), (net(1), HOSPITAL)))
		}),
		("6: due in a drained block", || {
			System::set_block_number(5);
			DrainedAt::<Test>::put(5)
		}),
		("7: signature without text", || {
			Signatures::<Test>::mutate([1; 16], |signature| {
				signature.as_mut().expect("registered; qed").pattern = pattern(b"")
			})
		}),
	];
	for (message, break_it) in table {
		assert_eq!(Err(TryRuntimeError::Other(message)), broken(break_it));
	}
}
