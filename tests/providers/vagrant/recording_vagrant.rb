# Stands in for Vagrant and writes down, as JSON, what Vagrantfiles tell it.
#
#   ruby recording_vagrant.rb VAGRANTFILE...
#
# For each file: {"set": {"vm.box": …}, "calls": [[name, arguments, options, what its block told]…]}.

require "json"
require "pathname"

class Recorder < BasicObject
  def initialize(path = "", told = { "set" => {}, "calls" => [] })
    @path, @told = path, told
  end

  def method_missing(name, *arguments, **options, &block)
    where = @path + name.to_s
    if name.end_with?("=")
      where = where.delete_suffix("=")
      ::Kernel.raise "#{where} is set twice" if @told["set"].key?(where)
      @told["set"][where] = arguments.first
    elsif arguments.empty? && options.empty? && !block
      ::Recorder.new("#{where}.", @told)
    else
      inner = { "set" => {}, "calls" => [] }
      block&.call(::Recorder.new("", inner), ::Recorder.new("override."))
      @told["calls"] << [where, arguments, options, inner]
    end
  end

  def respond_to_missing?(*)
    true
  end
end

module Vagrant
  def self.configure(version)
    raise "version #{version}" unless version == "2"
    $told = { "set" => {}, "calls" => [] }
    yield Recorder.new("", $told)
  end

  def self.user_data_path
    Pathname.new(ENV.fetch("VAGRANT_HOME"))
  end
end

# What Vagrant asks VirtualBox through. The answer is the environment's, with the name of the machine that was asked about in it.
module VagrantPlugins
  module ProviderVirtualBox
    module Driver
      class Meta
        def execute_command(words)
          command, machine, *options = words
          raise words.inspect unless command == "showvminfo" && options == ["--machinereadable"]
          ENV.fetch("VBOXMANAGE_SAYS").gsub("MACHINE", machine)
        end
      end
    end
  end
end

if ENV["LIBVIRT_PLUGIN"]
  module VagrantPlugins
    module ProviderLibvirt
      def self.source_root
        Pathname.new(ENV["LIBVIRT_PLUGIN"])
      end
    end
  end
end

puts(JSON.generate(ARGV.map do |file|
  ENV.delete("VAGRANT_DEFAULT_PROVIDER")
  load file
  $told.merge("provider" => ENV["VAGRANT_DEFAULT_PROVIDER"])
end))
