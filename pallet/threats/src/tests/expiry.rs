use super::*;
use frame_support::dispatch::PostDispatchInfo;

fn clean_up(limit: u32) -> PostDispatchInfo {
	Threats::cleanup_expired_blocks(signed(STRANGER), limit).expect("signed, in bounds; qed")
}

fn weight(n: u32) -> frame_support::weights::Weight {
	<Test as Config>::WeightInfo::cleanup_expired_blocks(n)
}

#[docify::export]
#[test]
fn an_expired_block_is_cleaned_up_by_anybody() {
	test(|| {
		assert_ok!(block(HOSPITAL, net(1), 5));
		System::set_block_number(5);
		assert!(!Threats::is_blocked(&net(1)));

		let post = Threats::cleanup_expired_blocks(signed(STRANGER), 1).expect("signed; qed");
		assert_eq!((Pays::No, 0), (post.pays_fee, held(HOSPITAL)));
		assert!(!Blocks::<Test>::contains_key(net(1), HOSPITAL));
	});
}

#[test]
fn clean_up_takes_the_earliest_first_and_no_more_than_its_limit() {
	test(|| {
		for (n, expires_at) in [(1, 40), (2, 5), (3, 300), (4, 20)] {
			assert_ok!(block(HOSPITAL, net(n), expires_at));
		}
		System::set_block_number(100);
		threat_events();

		clean_up(2);
		assert_eq!(
			vec![expired(net(2), HOSPITAL, 5), expired(net(4), HOSPITAL, 20)],
			threat_events()
		);
		clean_up(10);
		assert_eq!(vec![expired(net(1), HOSPITAL, 40)], threat_events());
		assert_eq!(BLOCK_DEPOSIT, held(HOSPITAL));
		assert!(Threats::is_blocked(&net(3)));
	});
}

#[test]
fn clean_up_is_free_from_nine_tenths_on_and_refunds_what_was_not_due() {
	for (due, limit, pays, charged) in [
		(10, 10, Pays::No, 10),
		(9, 10, Pays::No, 10),
		(8, 10, Pays::Yes, 9),
		(1, 1, Pays::No, 1),
		(1, 2, Pays::Yes, 2),
		(0, 10, Pays::Yes, 1),
	] {
		test(|| {
			for n in 0..due {
				assert_ok!(block(HOSPITAL, net(n), 5));
			}
			System::set_block_number(5);
			let post = clean_up(limit);
			assert_eq!((pays, Some(weight(charged))), (post.pays_fee, post.actual_weight));
			assert_eq!(0, held(HOSPITAL));
		});
	}
}

#[test]
fn a_replaced_block_is_cleaned_up_at_its_new_expiry_only() {
	test(|| {
		assert_ok!(block(HOSPITAL, net(1), 5));
		assert_ok!(block(HOSPITAL, net(2), 50));
		assert_ok!(block(HOSPITAL, net(1), 50));
		assert_ok!(block(HOSPITAL, net(2), 5));
		System::set_block_number(6);
		threat_events();

		clean_up(10);
		assert_eq!(vec![expired(net(2), HOSPITAL, 5)], threat_events());
		assert!(Threats::is_blocked(&net(1)));
	});
}

#[test]
fn any_number_of_networks_expires_in_one_block() {
	test(|| {
		for n in 0..30 {
			assert_ok!(block(HOSPITAL, net(n), 5));
		}
		System::set_block_number(1_000_000);
		for _ in 0..3 {
			assert_eq!(Pays::No, clean_up(10).pays_fee);
		}
		assert_eq!(0, held(HOSPITAL));
	});
}

#[test]
fn a_clean_up_goes_on_behind_the_last_one() {
	test(|| {
		for n in 0..4 {
			assert_ok!(block(HOSPITAL, net(n), 5));
		}
		System::set_block_number(5);
		let order = Expiries::<Test>::iter_keys().collect::<Vec<_>>();

		clean_up(2);
		assert_eq!(Some(order[1]), ExpiryCursor::<Test>::get());
		// Sorts behind the cursor, whatever its hash.
		assert_ok!(block(CLINIC, net(0), 6));
		clean_up(3);
		assert_eq!(Some(order[3]), ExpiryCursor::<Test>::get());

		System::set_block_number(6);
		threat_events();
		clean_up(1);
		assert_eq!(vec![expired(net(0), CLINIC, 6)], threat_events());
	});
}

/// Otherwise each look would step over all that this block has unblocked.
#[test]
fn a_drained_block_is_not_searched_again() {
	test(|| {
		assert_ok!(block(HOSPITAL, net(1), 5));
		assert_ok!(block(HOSPITAL, net(2), 9));
		System::set_block_number(5);
		assert_eq!(None, DrainedAt::<Test>::get());
		clean_up(1);
		assert_eq!(None, DrainedAt::<Test>::get());
		clean_up(1);
		assert_eq!(Some(5), DrainedAt::<Test>::get());

		let hidden = caregrid_expiry::DueBlock::new(5u64);
		Expiries::<Test>::insert(hidden, (net(3), HOSPITAL), ());
		threat_events();
		clean_up(1);
		assert_eq!(Vec::<Event<Test>>::new(), threat_events());
		Expiries::<Test>::remove(hidden, (net(3), HOSPITAL));

		System::set_block_number(9);
		clean_up(1);
		assert_eq!(vec![expired(net(2), HOSPITAL, 9)], threat_events());
	});
}

#[test]
fn a_limit_is_a_limit() {
	test(|| {
		for limit in [0, 11, u32::MAX] {
			assert_noop!(
				Threats::cleanup_expired_blocks(signed(STRANGER), limit),
				Error::<Test>::LimitInvalid
			);
		}
	});
}
