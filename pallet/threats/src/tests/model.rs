//! Random sequences of calls, against a model of plain maps.

use std::collections::{BTreeMap, BTreeSet};

use frame_support::{traits::Hooks, weights::Weight};
use proptest::prelude::*;
use sp_runtime::DispatchResult;

use super::*;

#[derive(Clone, Debug)]
enum Step {
	Block {
		organisation: AccountId,
		net: u8,
		lasts: u64,
	},
	Unblock {
		organisation: AccountId,
		net: u8,
	},
	Register {
		organisation: AccountId,
		id: u8,
		length: usize,
	},
	Retire {
		organisation: AccountId,
		id: u8,
	},
	CleanUp {
		limit: u32,
	},
	/// An idle block with weight for so many, and a little less than for another one.
	Idle {
		affordable: u32,
	},
	Pass {
		blocks: u64,
	},
}

fn step() -> impl Strategy<Value = Step> {
	let organisation = || prop_oneof![Just(HOSPITAL), Just(CLINIC)];
	let lasts = prop_oneof![20 => 1u64..20, 1 => Just(0), 1 => Just(1_000), 1 => Just(1_001)];
	prop_oneof![
		8 => (organisation(), 0u8..6, lasts)
			.prop_map(|(organisation, net, lasts)| Step::Block { organisation, net, lasts }),
		3 => (organisation(), 0u8..6)
			.prop_map(|(organisation, net)| Step::Unblock { organisation, net }),
		2 => (organisation(), 0u8..4, 0usize..=64)
			.prop_map(|(organisation, id, length)| Step::Register { organisation, id, length }),
		2 => (organisation(), 0u8..4)
			.prop_map(|(organisation, id)| Step::Retire { organisation, id }),
		3 => (0u32..=11).prop_map(|limit| Step::CleanUp { limit }),
		2 => (0u32..=4).prop_map(|affordable| Step::Idle { affordable }),
		4 => (1u64..8).prop_map(|blocks| Step::Pass { blocks }),
	]
}

#[derive(Default)]
struct Model {
	now: u64,
	/// Until when each organisation blocks each network.
	blocks: BTreeMap<(u8, AccountId), u64>,
	/// Whose signature it is, and how long its text.
	signatures: BTreeMap<u8, (AccountId, usize)>,
}

impl Model {
	/// What a step must return, and the state after it. Clean-ups are left to
	/// [`Self::forget_expired`].
	fn apply(&mut self, step: &Step) -> Result<(), Error<Test>> {
		match *step {
			Step::Block { lasts: 0, .. } => return Err(Error::ExpiryInPast),
			Step::Block { lasts, .. } if lasts > 1_000 => return Err(Error::ExpiryTooFar),
			Step::Block { organisation, net, lasts } => {
				self.blocks.insert((net, organisation), self.now + lasts);
			},
			Step::Unblock { organisation, net } => {
				self.blocks.remove(&(net, organisation)).ok_or(Error::BlockUnknown)?;
			},
			Step::Register { length: 0, .. } => return Err(Error::PatternEmpty),
			Step::Register { id, .. } if self.signatures.contains_key(&id) => {
				return Err(Error::SignatureExists);
			},
			Step::Register { organisation, id, length } => {
				self.signatures.insert(id, (organisation, length));
			},
			Step::Retire { organisation, id } => match self.signatures.get(&id) {
				None => return Err(Error::SignatureUnknown),
				Some((owner, _)) if *owner != organisation => return Err(Error::SignatureForeign),
				Some(_) => {
					self.signatures.remove(&id);
				},
			},
			Step::CleanUp { limit: 0 | 11.. } => return Err(Error::LimitInvalid),
			Step::CleanUp { .. } | Step::Idle { .. } => {},
			Step::Pass { blocks } => self.now += blocks,
		}
		Ok(())
	}

	fn due(&self) -> usize {
		self.blocks.values().filter(|expires_at| **expires_at <= self.now).count()
	}

	/// A clean-up of `limit` removed these: as many as were due, the earliest first.
	fn forget_expired(&mut self, limit: u32, removed: &[Event<Test>]) {
		assert_eq!(self.due().min(limit as usize), removed.len());
		for event in removed {
			let earliest = self.blocks.values().min().copied();
			let Event::IpBlockExpired { net, organisation, expires_at } = event else {
				panic!("a clean-up only removes: {event:?}");
			};
			assert_eq!(earliest, Some(*expires_at));
			assert_eq!(Some(*expires_at), self.blocks.remove(&(number(net), *organisation)));
		}
	}

	fn deposit(&self, organisation: AccountId) -> u64 {
		let blocks = self.blocks.keys().filter(|(_, who)| *who == organisation).count() as u64;
		let texts = self.signatures.values().filter(|(who, _)| *who == organisation);
		blocks * BLOCK_DEPOSIT
			+ texts.map(|(_, length)| SIGNATURE_DEPOSIT + *length as u64).sum::<u64>()
	}

	fn check(&self) {
		let stored = Blocks::<Test>::iter()
			.map(|(net, organisation, block)| ((number(&net), organisation), block.expires_at))
			.collect::<BTreeMap<_, _>>();
		assert_eq!(self.blocks, stored);
		let listed = Expiries::<Test>::iter_keys()
			.map(|(due, (net, organisation))| ((number(&net), organisation), due.number()))
			.collect::<Vec<_>>();
		assert_eq!(self.blocks.len(), listed.len());
		assert_eq!(self.blocks, listed.into_iter().collect::<BTreeMap<_, _>>());
		assert_eq!(
			self.signatures.keys().map(|id| [*id; 16]).collect::<BTreeSet<_>>(),
			Signatures::<Test>::iter_keys().collect::<BTreeSet<_>>()
		);
		for n in 0..6 {
			let mut of_net = self.blocks.iter().filter(|((net, _), _)| *net == n);
			let blocked = of_net.any(|(_, expires_at)| self.now < *expires_at);
			assert_eq!(blocked, Threats::is_blocked(&net(n)));
		}
		for organisation in [HOSPITAL, CLINIC] {
			assert_eq!(self.deposit(organisation), held(organisation));
		}
		check_invariants();
	}
}

fn number(net: &IpNet) -> u8 {
	match net {
		IpNet::V4 { address, .. } => address[2],
		IpNet::V6 { .. } => panic!("no step blocks such a network"),
	}
}

fn execute(step: &Step) -> DispatchResult {
	match *step {
		Step::Block { organisation, net, lasts } => {
			block(organisation, mock::net(net), System::block_number() + lasts)
		},
		Step::Unblock { organisation, net } => unblock(organisation, mock::net(net)),
		Step::Register { organisation, id, length } => {
			register(organisation, id, &vec![b'x'; length])
		},
		Step::Retire { organisation, id } => retire(organisation, id),
		Step::CleanUp { limit } => bare(Threats::cleanup_expired_blocks(signed(STRANGER), limit)),
		Step::Idle { affordable } => {
			let limit = <Test as Config>::WeightInfo::on_idle(affordable + 1);
			let limit = limit - Weight::from_parts(1, 0);
			let consumed = Threats::on_idle(System::block_number(), limit);
			assert!(consumed.all_lte(limit));
			Ok(())
		},
		Step::Pass { blocks } => {
			System::set_block_number(System::block_number() + blocks);
			Ok(())
		},
	}
}

fn check_step(model: &mut Model, step: &Step) {
	System::reset_events();
	let expected = model.apply(step).map_err(Into::into);
	assert_eq!(expected, execute(step));
	match *step {
		Step::CleanUp { limit } if expected.is_ok() => {
			model.forget_expired(limit, &threat_events());
		},
		Step::Idle { affordable } => model.forget_expired(affordable, &threat_events()),
		_ => {},
	}
	model.check();
}

proptest! {
	#![proptest_config(ProptestConfig {
		cases: 48,
		failure_persistence: None,
		..ProptestConfig::default()
	})]

	#[test]
	fn the_pallet_does_what_its_model_does(steps in prop::collection::vec(step(), 1..60)) {
		let mut model = Model { now: 1, ..Model::default() };
		let mut ext = new_test_ext();
		for step in &steps {
			// A key that was deleted in the same block is still in the database; one of an
			// earlier block is not. Clean-ups meet both.
			if let Step::Pass { .. } = step {
				ext.commit_all().expect("no open transaction; qed");
			}
			ext.execute_with(|| check_step(&mut model, step));
		}
	}
}
