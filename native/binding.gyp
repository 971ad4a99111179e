{
  "targets": [
    {
      "target_name": "corosync",
      "sources": [
        "src/abi_check.cc", "src/addon.cc", "src/cfg.cc", "src/cmap.cc", "src/connection.cc", "src/cpg.cc", "src/cpg_events.cc",
        "src/event.cc", "src/event_source.cc", "src/handle.cc", "src/libraries.cc", "src/listener.cc", "src/loop_door.cc", "src/message_slab.cc",
        "src/pump.cc", "src/quorum.cc", "src/shared_memory.cc", "src/slab_pool.cc", "src/standby.cc", "src/table_gate.cc", "src/votequorum.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=9", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags_cc": ["-std=gnu++17", "-O2", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-missing-field-initializers", "-fvisibility=hidden"],
      "cflags_cc!": ["-fno-rtti"],
      "ldflags": ["-Wl,-z,nodelete", "-pthread"],
      "libraries": ["-ldl"]
    }
  ]
}
