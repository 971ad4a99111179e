// Lets one thread of the process at a time make or end handles.
//
// Corosync's libraries keep their handles in tables (libqb's hdb.c) that are not safe for that: two threads that make a handle
// at once can both be given the same free entry, and the first one's handle is then BAD_HANDLE. Calls on different handles are
// safe. The table belongs to the process, and so does this gate, the one thing here that is not of one environment.
//
// A handle is entered into its table in the first microseconds of an initialize call, which may then wait for a stopped daemon for
// ever. So the gate opens again after kHold, whether or not the call has returned: nobody waits for somebody else's daemon.
#pragma once

#include <chrono>
#include <cstdint>

namespace corosync {

class TableGate {
 public:
  static constexpr std::chrono::milliseconds kHold{500};

  // Enters, waiting if need be; leaves when it goes out of scope.
  TableGate();
  ~TableGate();
  TableGate(const TableGate&) = delete;
  TableGate& operator=(const TableGate&) = delete;

 private:
  uint64_t ticket_;
};

}  // namespace corosync
