// The JavaScript object that is told of events: a method for each kind. It stays as lib/ made it.
#pragma once

#include <napi.h>

#include <initializer_list>
#include <string>

namespace corosync {

class Listener {
 public:
  explicit Listener(Napi::Object object) : object_(Napi::Persistent(object)) {}

  // listener[name](...arguments), if it has that method. What it returns; empty if it threw.
  Napi::Value call(Napi::Env env, const char* name, std::initializer_list<napi_value> arguments);
  // Lets go of JavaScript's objects; not to be called afterwards.
  void reset();

 private:
  Napi::ObjectReference object_;
  // The method that was called last: in a flood looking it up each time showed.
  std::string name_;
  Napi::FunctionReference method_;
};

}  // namespace corosync
