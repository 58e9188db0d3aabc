//! The runtime's WASM in an executor, over a state in memory that counts what is accessed.

use std::{borrow::Cow, fmt::Display};

use codec::{Decode, Encode};
use frame_benchmarking::{
	BenchmarkBatch, BenchmarkConfig, BenchmarkList, BenchmarkResult, benchmarking,
};
use frame_support::traits::StorageInfo;
use sc_chain_spec::GenesisConfigBuilderRuntimeCaller;
use sc_client_db::BenchmarkingState;
use sc_executor::WasmExecutor;
use sp_core::traits::{CallContext, RuntimeCode, WrappedRuntimeCode};
use sp_externalities::Extensions;
use sp_io::SubstrateHostFunctions;
use sp_keystore::{KeystoreExt, testing::MemoryKeystore};
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::StateMachine;

type State = BenchmarkingState<BlakeTwo256>;
type Executor = WasmExecutor<(SubstrateHostFunctions, benchmarking::HostFunctions)>;

/// Executes a runtime's benchmarks.
pub struct Machine {
	code: Vec<u8>,
	executor: Executor,
	counting: State,
	timing: State,
}

impl Machine {
	/// A machine for `code`, which was compiled with `runtime-benchmarks`; its state is the
	/// genesis of `preset`.
	pub fn new(code: Vec<u8>, preset: &str) -> Result<Self, String> {
		let genesis = GenesisConfigBuilderRuntimeCaller::<benchmarking::HostFunctions>::new(&code)
			.get_storage_for_named_preset(Some(&preset.into()))?;
		Ok(Self {
			executor: WasmExecutor::builder().build(),
			counting: State::new(genesis.clone(), None, false, true)?,
			timing: State::new(genesis, None, false, false)?,
			code,
		})
	}

	/// All benchmarks that weights need.
	pub fn benchmarks(&self) -> Result<Vec<BenchmarkList>, String> {
		let unneeded_ones_too = false;
		let (lists, _storage): (_, Vec<StorageInfo>) =
			self.call(&self.timing, "Benchmark_benchmark_metadata", &unneeded_ones_too)?;
		Ok(lists)
	}

	/// Run one benchmark at one point, as often as `config` says; only the times count.
	pub fn time(&self, config: &BenchmarkConfig) -> Result<Vec<BenchmarkResult>, String> {
		self.dispatch(&self.timing, config)
	}

	/// Run one benchmark at one point; only reads and writes count.
	pub fn count(&self, config: &BenchmarkConfig) -> Result<Vec<BenchmarkResult>, String> {
		self.dispatch(&self.counting, config)
	}

	fn dispatch(
		&self,
		state: &State,
		config: &BenchmarkConfig,
	) -> Result<Vec<BenchmarkResult>, String> {
		let batches: Result<Vec<BenchmarkBatch>, String> =
			self.call(state, "Benchmark_dispatch_benchmark", config)?;
		Ok(batches?.into_iter().flat_map(|batch| batch.results).collect())
	}

	fn call<R: Decode>(
		&self,
		state: &State,
		method: &str,
		arguments: &impl Encode,
	) -> Result<R, String> {
		let code = WrappedRuntimeCode(Cow::Borrowed(&self.code));
		let code = RuntimeCode { code_fetcher: &code, heap_pages: None, hash: vec![] };
		let failed = |error: &dyn Display| format!("{method}: {error}");
		let answer = StateMachine::new(
			state,
			&mut Default::default(),
			&self.executor,
			method,
			&arguments.encode(),
			&mut extensions(),
			&code,
			CallContext::Offchain,
		)
		.execute()
		.map_err(|error| failed(&error))?;
		R::decode(&mut &answer[..]).map_err(|error| failed(&error))
	}
}

/// What the node gives a runtime call beside the state, as far as benchmarks use it.
fn extensions() -> Extensions {
	let mut extensions = Extensions::default();
	extensions.register(KeystoreExt::new(MemoryKeystore::new()));
	extensions
}
