use super::*;
use frame_support::{BoundedVec, dispatch::Pays};
use sp_runtime::Permill;

const STORED: ObjectId = [RECORD[0]; 32];

type Batch<Item> = BoundedVec<Item, <Test as Config>::MaxBatch>;

fn batch<Item: core::fmt::Debug>(items: Vec<Item>) -> Batch<Item> {
	items.try_into().expect("within MaxBatch; qed")
}

fn with_object() -> ExtBuilder {
	ExtBuilder::default().patient(None).record(RECORD)
}

fn health(object: ObjectId) -> HealthReport {
	HealthReport { object, health: Permill::from_percent(75), replicas: 2, nodes: 9 }
}

fn integrity(challenged_at: u64) -> IntegrityReport<u64> {
	IntegrityReport {
		object: STORED,
		scheme: ProofScheme::Private,
		outcome: AuditOutcome::Passed,
		challenged_at,
		proof_digest: [9; 32],
	}
}

fn rejected(object: ObjectId, reason: RejectReason) -> Event<Test> {
	Event::ReportRejected { object, reason }
}

#[test]
fn storage_health_is_noted_and_bad_reports_are_left_out() {
	with_object().build_and_check(|| {
		run_to_block(4);
		let before = held(HOSPITAL);
		let reports = batch(vec![health([8; 32]), health(STORED)]);
		let post =
			Emr::report_storage_health(signed(SIDECAR), HOSPITAL, reports).expect("operator; qed");

		assert_eq!((Pays::No, before), (post.pays_fee, held(HOSPITAL)));
		let HealthReport { health, replicas, nodes, .. } = health(STORED);
		let noted = StorageHealth { health, replicas, nodes, reported_at: 4 };
		assert_eq!(Some(noted), Objects::<Test>::get(STORED).expect("stored; qed").health);
		let custodian = HOSPITAL;
		let reported =
			Event::StorageHealthReported { object: STORED, custodian, health, replicas, nodes };
		assert_eq!(vec![rejected([8; 32], RejectReason::ObjectUnknown), reported], emr_events());
	});
}

#[test]
fn only_the_custodian_reports_and_only_what_can_be() {
	with_object().build_and_check(|| {
		let reports = batch(vec![health(STORED)]);
		assert_ok!(Emr::report_storage_health(signed(SIDECAR), CLINIC, reports.clone()));
		assert_eq!(vec![rejected(STORED, RejectReason::ObjectForeign)], emr_events());
		// More than the whole has no encoding.
		let too_much = <Permill as codec::Decode>::decode(&mut &1_000_001u32.to_le_bytes()[..]);
		assert!(too_much.is_err());
		assert_noop!(
			Emr::report_storage_health(signed(BOB), HOSPITAL, reports),
			Error::<Test>::NotOperator
		);
		assert_noop!(
			Emr::report_storage_health(signed(SIDECAR), HOSPITAL, batch(vec![])),
			Error::<Test>::BatchEmpty
		);
		assert_noop!(
			Emr::report_integrity(signed(SIDECAR), HOSPITAL, batch(vec![])),
			Error::<Test>::BatchEmpty
		);
	});
}

#[test]
fn a_verdict_is_noted_with_its_challenge_and_digest() {
	with_object().build_and_check(|| {
		run_to_block(4);
		let reports = batch(vec![integrity(3)]);
		assert_ok!(Emr::report_integrity(signed(SIDECAR), HOSPITAL, reports));
		let noted = Integrity {
			scheme: ProofScheme::Private,
			outcome: AuditOutcome::Passed,
			challenged_at: 3,
			proof_digest: [9; 32],
			reported_at: 4,
		};
		assert_eq!(Some(noted), Objects::<Test>::get(STORED).expect("stored; qed").integrity);
		assert_eq!(
			vec![Event::IntegrityReported {
				object: STORED,
				custodian: HOSPITAL,
				scheme: ProofScheme::Private,
				outcome: AuditOutcome::Passed,
				challenged_at: 3,
				proof_digest: [9; 32],
			}],
			emr_events()
		);
	});
}

#[test]
fn a_challenge_comes_after_the_commitment_and_from_the_past() {
	with_object().build_and_check(|| {
		run_to_block(5);
		assert_ok!(Emr::commit_proof(signed(SIDECAR), HOSPITAL, STORED, [7; 96], [8; 32]));
		run_to_block(10);
		assert_ok!(Emr::report_integrity(signed(SIDECAR), HOSPITAL, batch(vec![integrity(7)])));
		emr_events();
		// Before the commitment, at it, before the last one, now, later.
		for height in [4, 5, 6, 10, 11] {
			let reports = batch(vec![integrity(height)]);
			assert_ok!(Emr::report_integrity(signed(SIDECAR), HOSPITAL, reports));
			assert_eq!(vec![rejected(STORED, RejectReason::ReportInvalid)], emr_events());
		}
		// The same challenge again, and a later one.
		for height in [7, 9] {
			let reports = batch(vec![integrity(height)]);
			assert_ok!(Emr::report_integrity(signed(SIDECAR), HOSPITAL, reports));
			assert!(matches!(emr_events()[..], [Event::IntegrityReported { .. }]));
		}
	});
}

#[test]
fn what_anybody_can_verify_needs_a_commitment() {
	with_object().build_and_check(|| {
		run_to_block(5);
		let public = IntegrityReport { scheme: ProofScheme::Public, ..integrity(4) };
		assert_ok!(Emr::report_integrity(signed(SIDECAR), HOSPITAL, batch(vec![public])));
		assert_eq!(vec![rejected(STORED, RejectReason::ReportInvalid)], emr_events());

		assert_ok!(Emr::commit_proof(signed(SIDECAR), HOSPITAL, STORED, [7; 96], [8; 32]));
		let committed =
			Event::ProofCommitted { object: STORED, custodian: HOSPITAL, tags: [8; 32] };
		assert_eq!(vec![committed], emr_events());
		run_to_block(7);
		let public = IntegrityReport { challenged_at: 6, ..public };
		assert_ok!(Emr::report_integrity(signed(SIDECAR), HOSPITAL, batch(vec![public])));
		assert!(matches!(emr_events()[..], [Event::IntegrityReported { .. }]));
	});
}

#[test]
fn a_commitment_is_the_custodians_and_needs_an_object() {
	with_object().build_and_check(|| {
		assert_noop!(
			Emr::commit_proof(signed(SIDECAR), CLINIC, STORED, [7; 96], [8; 32]),
			Error::<Test>::ObjectForeign
		);
		assert_noop!(
			Emr::commit_proof(signed(SIDECAR), HOSPITAL, [8; 32], [7; 96], [8; 32]),
			Error::<Test>::ObjectUnknown
		);
	});
}
