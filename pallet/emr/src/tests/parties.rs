use super::*;

fn operators(accounts: &[AccountId]) -> Operators<Test> {
	accounts.to_vec().try_into().expect("within MaxOperators; qed")
}

#[test]
fn an_organisation_registers_once_and_pays_a_deposit() {
	ExtBuilder::default().build_and_check(|| {
		assert_ok!(Emr::register_organisation(signed(ALICE), operators(&[BOB, APP])));

		assert!(held(ALICE) > 0);
		assert_eq!(
			emr_events(),
			vec![
				Event::OrganisationRegistered { organisation: ALICE },
				Event::OperatorsSet { organisation: ALICE, operators: operators(&[APP, BOB]) },
			]
		);
		assert_noop!(
			Emr::register_organisation(signed(ALICE), operators(&[])),
			Error::<Test>::OrganisationExists
		);
	});
}

#[test]
fn an_organisation_without_means_is_refused() {
	ExtBuilder::default().build_and_check(|| {
		assert_noop!(
			Emr::register_organisation(signed(POOR), operators(&[])),
			sp_runtime::TokenError::FundsUnavailable
		);
	});
}

#[test]
fn an_operator_stands_once() {
	ExtBuilder::default().build_and_check(|| {
		let twice = operators(&[BOB, APP, BOB]);
		assert_noop!(
			Emr::register_organisation(signed(ALICE), twice.clone()),
			Error::<Test>::DuplicateOperator
		);
		assert_noop!(Emr::set_operators(signed(HOSPITAL), twice), Error::<Test>::DuplicateOperator);
	});
}

#[test]
fn only_the_organisation_names_operators() {
	ExtBuilder::default().build_and_check(|| {
		assert_noop!(
			Emr::set_operators(signed(SIDECAR), operators(&[BOB])),
			Error::<Test>::OrganisationUnknown
		);
		assert_ok!(Emr::set_operators(signed(HOSPITAL), operators(&[BOB])));
		assert_eq!(
			emr_events(),
			vec![Event::OperatorsSet { organisation: HOSPITAL, operators: operators(&[BOB]) }]
		);
		assert!(Emr::is_operator(&HOSPITAL, &BOB));
		assert!(!Emr::is_operator(&HOSPITAL, &SIDECAR));
	});
}

#[test]
fn a_removed_operator_acts_no_more() {
	ExtBuilder::default().build_and_check(|| {
		assert_ok!(Emr::set_operators(signed(HOSPITAL), operators(&[APP])));
		assert_noop!(
			Emr::register_patient(signed(SIDECAR), HOSPITAL, PATIENT, None),
			Error::<Test>::NotOperator
		);
	});
}

#[test]
fn a_patient_is_registered_at_the_organisations_cost() {
	ExtBuilder::default().build_and_check(|| {
		let before = held(HOSPITAL);
		let post = Emr::register_patient(signed(SIDECAR), HOSPITAL, PATIENT, Some(ALICE))
			.expect("operator; qed");

		assert_eq!(post.pays_fee, frame_support::dispatch::Pays::No);
		assert!(held(HOSPITAL) > before);
		assert_eq!(held(SIDECAR), 0);
		assert_eq!(
			emr_events(),
			vec![Event::PatientRegistered {
				patient: PATIENT,
				organisation: HOSPITAL,
				controller: ALICE
			}]
		);
		assert_noop!(
			Emr::register_patient(signed(SIDECAR), CLINIC, PATIENT, None),
			Error::<Test>::PatientExists
		);
	});
}

#[test]
fn strangers_and_unknown_organisations_register_nobody() {
	ExtBuilder::default().build_and_check(|| {
		assert_noop!(
			Emr::register_patient(signed(BOB), HOSPITAL, PATIENT, None),
			Error::<Test>::NotOperator
		);
		assert_noop!(
			Emr::register_patient(signed(BOB), BOB, PATIENT, None),
			Error::<Test>::OrganisationUnknown
		);
	});
}

#[test]
fn a_new_encryption_key_is_a_new_version_for_the_same_deposit() {
	ExtBuilder::default().build_and_check(|| {
		assert_ok!(Emr::set_encryption_key(signed(BOB), Box::new([1; 1216])));
		let deposit = held(BOB);
		assert_ok!(Emr::set_encryption_key(signed(BOB), Box::new([2; 1216])));

		assert!(deposit > 0);
		assert_eq!(deposit, held(BOB));
		assert_eq!([2; 1216], EncryptionKeys::<Test>::get(BOB).expect("set; qed").public);
		assert_eq!(
			emr_events(),
			vec![
				Event::EncryptionKeySet { account: BOB, version: 1 },
				Event::EncryptionKeySet { account: BOB, version: 2 },
			]
		);
	});
}
