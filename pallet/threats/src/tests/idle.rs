use super::*;
use frame_support::{traits::Hooks, weights::Weight};

fn idle(limit: Weight) -> Weight {
	let consumed = Threats::on_idle(System::block_number(), limit);
	assert!(consumed.all_lte(limit), "{consumed:?} is more than {limit:?}");
	consumed
}

fn weight(n: u32) -> Weight {
	<Test as Config>::WeightInfo::on_idle(n)
}

/// `count` networks of the hospital, all of them expired now.
fn fill(count: u8) {
	for n in 0..count {
		assert_ok!(block(HOSPITAL, net(n), 5));
	}
	System::set_block_number(5);
	threat_events();
}

fn left() -> usize {
	Blocks::<Test>::iter_keys().count()
}

#[test]
fn idle_weight_is_never_exceeded() {
	let one = Weight::from_parts(1, 0);
	for (limit, consumed, removed) in [
		(Weight::zero(), Weight::zero(), 0),
		(weight(0) - one, Weight::zero(), 0),
		(weight(0), weight(0), 0),
		(weight(1) - one, weight(0), 0),
		(weight(1), weight(1), 1),
		(weight(2) - one, weight(1), 1),
		(weight(2), weight(2), 2),
		(weight(3), weight(3), 3),
		(weight(100), weight(3), 3),
		(Weight::MAX, weight(3), 3),
	] {
		test(|| {
			fill(3);
			assert_eq!(consumed, idle(limit));
			assert_eq!((3 - removed, removed), (left(), threat_events().len()));
		});
	}
}

#[test]
fn an_idle_block_removes_no_more_than_a_clean_up() {
	test(|| {
		fill(12);
		assert_eq!(weight(10), idle(Weight::MAX));
		assert_eq!((2, 2 * BLOCK_DEPOSIT), (left(), held(HOSPITAL)));
		assert_eq!(weight(2), idle(Weight::MAX));
		assert_eq!((0, 0), (left(), held(HOSPITAL)));
	});
}

#[test]
fn nothing_due_leaves_no_trace() {
	test(|| {
		assert_ok!(block(HOSPITAL, net(1), 5));
		System::set_block_number(4);
		frame_support::assert_storage_noop!(idle(Weight::MAX));
	});
}

#[test]
fn idle_blocks_and_clean_ups_remove_the_same() {
	let removed_by = |remove: fn()| {
		let mut events = Vec::new();
		test(|| {
			assert_ok!(block(CLINIC, net(7), 3));
			fill(5);
			remove();
			events = threat_events();
		});
		events
	};
	let clean_up = || {
		assert_ok!(Threats::cleanup_expired_blocks(signed(STRANGER), 3));
	};
	let by_call = removed_by(clean_up);
	let by_idle = removed_by(|| {
		idle(weight(3));
	});
	assert_eq!(expired(net(7), CLINIC, 3), by_call[0]);
	assert_eq!(by_call, by_idle);
}
