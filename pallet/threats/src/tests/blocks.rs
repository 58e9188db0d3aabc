use super::*;

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
fn a_block_is_reported_and_lasts_until_its_expiry() {
	test(|| {
		assert_ok!(block(HOSPITAL, net(1), 5));
		assert_eq!(
			threat_events(),
			vec![Event::IpBlocked {
				net: net(1),
				organisation: HOSPITAL,
				reason: BlockReason::Scanning,
				expires_at: 5
			}]
		);
		System::set_block_number(4);
		assert!(Threats::is_blocked(&net(1)));
		assert!(!Threats::is_blocked(&net(2)));
	});
}

#[test]
fn blocking_again_moves_the_expiry_for_the_same_deposit() {
	test(|| {
		assert_ok!(block(HOSPITAL, net(1), 5));
		let deposit = held(HOSPITAL);
		assert_ok!(block(HOSPITAL, net(1), 50));
		assert_eq!(deposit, held(HOSPITAL));

		System::set_block_number(6);
		let post = Threats::cleanup_expired_blocks(signed(STRANGER), 1).expect("signed; qed");
		assert_eq!(Pays::Yes, post.pays_fee);
		assert!(Threats::is_blocked(&net(1)));
	});
}

#[test]
fn two_organisations_block_the_same_network_for_themselves() {
	test(|| {
		assert_ok!(block(HOSPITAL, net(1), 5));
		assert_ok!(block(CLINIC, net(1), 9));
		System::set_block_number(5);
		assert_ok!(Threats::cleanup_expired_blocks(signed(STRANGER), 5));
		assert_eq!(0, held(HOSPITAL));
		assert!(held(CLINIC) > 0);
		assert!(Threats::is_blocked(&net(1)));
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
		assert_ok!(Threats::cleanup_expired_blocks(signed(STRANGER), 2));

		let expired = |n| Event::IpBlockExpired { net: net(n), organisation: HOSPITAL };
		assert_eq!(vec![expired(2), expired(4)], threat_events());
		let post = Threats::cleanup_expired_blocks(signed(STRANGER), 10).expect("signed; qed");
		assert_eq!(vec![expired(1)], threat_events());
		assert_eq!(Pays::Yes, post.pays_fee);
		assert!(
			post.actual_weight
				.expect("refunded; qed")
				.all_lt(<Test as Config>::WeightInfo::cleanup_expired_blocks(10))
		);
	});
}

#[test]
fn a_full_list_never_refuses_a_block() {
	test(|| {
		for n in 0..30 {
			assert_ok!(block(HOSPITAL, net(n), 5));
		}
		System::set_block_number(1_000_000);
		for _ in 0..3 {
			assert_ok!(Threats::cleanup_expired_blocks(signed(STRANGER), 10));
		}
		assert_eq!(0, held(HOSPITAL));
	});
}

#[test]
fn a_network_has_one_spelling() {
	test(|| {
		let bad = [
			IpNet::V4 { address: [10, 0, 0, 1], prefix: 24 },
			IpNet::V4 { address: [10, 0, 0, 0], prefix: 33 },
			IpNet::V4 { address: [128, 0, 0, 0], prefix: 0 },
			IpNet::V6 { address: [0xff; 16], prefix: 127 },
			IpNet::V6 { address: [0; 16], prefix: 129 },
		];
		for net in bad {
			assert_noop!(block(HOSPITAL, net, 5), Error::<Test>::NetworkInvalid);
		}
		let good = [
			IpNet::V4 { address: [0; 4], prefix: 0 },
			IpNet::V4 { address: [10, 0, 0, 1], prefix: 32 },
			IpNet::V6 { address: [0; 16], prefix: 0 },
			IpNet::V6 { address: [0xff; 16], prefix: 128 },
		];
		for net in good {
			assert_ok!(block(HOSPITAL, net, 5));
		}
	});
}

#[test]
fn a_block_expires_within_bounds_and_a_limit_is_a_limit() {
	test(|| {
		assert_noop!(block(HOSPITAL, net(1), 1), Error::<Test>::ExpiryInPast);
		assert_noop!(block(HOSPITAL, net(1), 1_002), Error::<Test>::ExpiryTooFar);
		for limit in [0, 11, u32::MAX] {
			assert_noop!(
				Threats::cleanup_expired_blocks(signed(STRANGER), limit),
				Error::<Test>::LimitInvalid
			);
		}
	});
}

#[test]
fn strangers_block_nobody_and_nobody_unsigned_cleans_up() {
	test(|| {
		let reason = BlockReason::Policy;
		assert_noop!(Threats::block_ip(signed(STRANGER), HOSPITAL, net(1), reason, 5), BadOrigin);
		assert_noop!(Threats::cleanup_expired_blocks(RuntimeOrigin::none(), 1), BadOrigin);
		assert_noop!(Threats::cleanup_expired_blocks(RuntimeOrigin::root(), 1), BadOrigin);
	});
}
